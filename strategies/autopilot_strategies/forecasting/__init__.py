"""Forecasters of rates, walked forward, each measured against persistence; and the mix of those that beat it (docs/market.md §5)."""

from autopilot_strategies.forecasting.boosting import Lesson
from autopilot_strategies.forecasting.features import ANCHORS
from autopilot_strategies.forecasting.forecaster import Forecaster, Paths
from autopilot_strategies.forecasting.skill import MemberSkill, Skill

__all__ = ["ANCHORS", "Forecaster", "Lesson", "MemberSkill", "Paths", "Skill"]
