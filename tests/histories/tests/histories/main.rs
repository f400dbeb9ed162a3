//! Histories of schedules have an order in which every answer is right, and histories of a broken
//! library have none.

mod orders;
mod planted;
mod schedules;
mod threads;
