"""Losses: plain functions of predictions and targets."""
