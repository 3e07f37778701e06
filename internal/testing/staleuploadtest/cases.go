// Package staleuploadtest has cases of when a store drops an abandoned multipart
// upload.
package staleuploadtest

import (
	"math"
	"time"

	"github.com/omnibucket/storage"
)

const day = 24 * time.Hour

// Rules is the lifecycle configuration for [Cases].
var Rules = []storage.LifecycleRule{
	{Prefix: "tmp/", AbortUploadsAfterDays: 3},
	{Prefix: "tmp/short/", AbortUploadsAfterDays: 1},
	{Prefix: "long/", AbortUploadsAfterDays: 30},
	{Prefix: "never/", AbortUploadsAfterDays: math.MaxInt},
	{ExpireAfterDays: 1},
}

// A Case is one upload at the time of a sweep.
type Case struct {
	Name    string
	Key     string
	Part    time.Duration // from the beginning of the upload to its part; 0 means no part
	Looked  time.Duration // from the beginning of the upload to the sweep
	Dropped bool
}

// Cases are the same for every store that itself drops abandoned uploads.
var Cases = []Case{
	{"begun a week ago", "k", 0, 7 * day, true},
	{"begun within the week", "k", 0, 7*day - time.Second, false},
	{"a week after its last part", "k", 6 * day, 13 * day, true},
	{"within a week of its last part", "k", 6 * day, 13*day - time.Second, false},
	{"as old as a rule allows, whenever its last part came", "tmp/k", 3*day - time.Second, 3 * day, true},
	{"younger than a rule allows", "tmp/k", 0, 3*day - time.Second, false},
	{"the shorter of two rules", "tmp/short/k", 0, day, true},
	{"a rule for another prefix", "tmpk", 0, 3 * day, false},
	{"a week old, with a rule that allows longer", "long/k", 0, 7 * day, true},
	{"a rule longer than a week", "long/k", 29 * day, 30 * day, true},
	{"a rule longer than a week, before its time", "long/k", 29 * day, 30*day - time.Second, false},
	{"a rule with more days than a Duration holds", "never/k", day, 7 * day, false},
	{"begun by a clock that was ahead", "k", 0, -day, false},
}
