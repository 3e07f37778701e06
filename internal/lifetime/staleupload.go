package lifetime

import (
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

const (
	// Day is the unit of lifecycle rules.
	Day = 24 * time.Hour
	// IdleUpload is the time after which an upload that gets no new part is discarded. Google and Azure
	// also wait for seven days.
	IdleUpload = 7 * Day
	// SweepPeriod is the time between two sweeps of an open bucket. Without it, a program that begins
	// many uploads would check all open uploads at each call.
	SweepPeriod = time.Hour
)

// ExpiredUpload reports whether one of the rules discards the upload of key that began at start. It
// counts whole days since then, as Amazon does
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html).
// It compares numbers of days, because a Duration cannot hold very large ones.
func ExpiredUpload(rules []storage.LifecycleRule, key string, start, now time.Time) bool {
	days := int(now.Sub(start) / Day)
	return slices.ContainsFunc(rules, func(r storage.LifecycleRule) bool {
		return r.AbortUploadsAfterDays > 0 && days >= r.AbortUploadsAfterDays && strings.HasPrefix(key, r.Prefix)
	})
}
