// Package leftover is when an upload in parts that nobody goes on with is dropped,
// by the stores that drop it themselves.
package leftover

import (
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

const (
	// Day is what lifecycle rules count in.
	Day = 24 * time.Hour
	// Idle is how long no part came to an upload that is dropped: as long as Google
	// and Azure wait.
	Idle = 7 * Day
	// Period is how often uploads are looked at while a bucket is open: beginning
	// many of them does not look at all of them each time.
	Period = time.Hour
)

// Overdue reports whether a rule drops an upload to key: so many days after it was
// begun, as Amazon counts
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html).
// In days, which may be more than a Duration holds.
func Overdue(rules []storage.LifecycleRule, key string, begun, now time.Time) bool {
	days := int(now.Sub(begun) / Day)
	return slices.ContainsFunc(rules, func(r storage.LifecycleRule) bool {
		return r.AbortUploadsAfterDays > 0 && days >= r.AbortUploadsAfterDays && strings.HasPrefix(key, r.Prefix)
	})
}
