// Package staleuploadtest has test cases for the multipart uploads that package lifetime considers
// abandoned. The tests of the stores that use the package run them.
package staleuploadtest

import (
	"math"
	"time"

	"github.com/omnibucket/storage"
)

const day = 24 * time.Hour

// Rules are the lifecycle rules of the bucket in [Cases].
var Rules = []storage.LifecycleRule{
	{Prefix: "tmp/", AbortUploadsAfterDays: 3},
	{Prefix: "tmp/short/", AbortUploadsAfterDays: 1},
	{Prefix: "long/", AbortUploadsAfterDays: 30},
	{Prefix: "never/", AbortUploadsAfterDays: math.MaxInt},
	{ExpireAfterDays: 1},
}

// A Case is an open upload, and says whether a sweep must discard it.
type Case struct {
	Name      string
	Key       string
	Part      time.Duration // time from the beginning of the upload to its last part, or 0
	Sweep     time.Duration // time from the beginning of the upload to the sweep
	Discarded bool
}

// Cases lists open uploads. Every store that discards stale uploads itself must treat them as the
// cases say.
var Cases = []Case{
	{"begun a week ago", "k", 0, 7 * day, true},
	{"begun within the week", "k", 0, 7*day - time.Second, false},
	{"a week after its last part", "k", 6 * day, 13 * day, true},
	{"within a week of its last part", "k", 6 * day, 13*day - time.Second, false},
	{"as old as a rule says, whenever its last part came", "tmp/k", 3*day - time.Second, 3 * day, true},
	{"younger than a rule says", "tmp/k", 0, 3*day - time.Second, false},
	{"the smaller of two rules", "tmp/short/k", 0, day, true},
	{"a rule for another prefix", "tmpk", 0, 3 * day, false},
	{"a week, although a rule allows more", "long/k", 0, 7 * day, true},
	{"a rule longer than a week", "long/k", 29 * day, 30 * day, true},
	{"a rule longer than a week, one second early", "long/k", 29 * day, 30*day - time.Second, false},
	{"a rule of more days than a Duration holds", "never/k", day, 7 * day, false},
	{"begun by a clock that was ahead", "k", 0, -day, false},
}
