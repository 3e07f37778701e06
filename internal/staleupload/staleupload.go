// Package staleupload decides when memstore and local discard abandoned multipart
// uploads.
package staleupload

import (
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

const (
	// Day is the unit of lifecycle rules.
	Day = 24 * time.Hour
	// Idle is the time without a new part after which an upload is discarded. Google
	// and Azure wait as long.
	Idle = 7 * Day
	// Period is the time between two sweeps of an open bucket. It keeps a program that
	// begins many uploads from examining all of them each time.
	Period = time.Hour
)

// Expired reports whether a rule discards an upload to key that began at that time.
// It counts days from the beginning of the upload, as Amazon does
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html).
// It compares days, because a rule may have more of them than a Duration can hold.
func Expired(rules []storage.LifecycleRule, key string, begun, now time.Time) bool {
	days := int(now.Sub(begun) / Day)
	return slices.ContainsFunc(rules, func(r storage.LifecycleRule) bool {
		return r.AbortUploadsAfterDays > 0 && days >= r.AbortUploadsAfterDays && strings.HasPrefix(key, r.Prefix)
	})
}
