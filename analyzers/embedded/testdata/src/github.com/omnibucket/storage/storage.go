package storage

type Bucket interface{ Exists() bool }

type Core interface{ Exists() bool }
