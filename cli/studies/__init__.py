"""Verbs that look at trainings rather than run one."""
