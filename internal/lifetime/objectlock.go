// Package lifetime says how long an object must stay, and how long an abandoned multipart upload may stay. It is for the
// stores that must decide that themselves: memory and local directories. Retentions and legal holds keep an object.
package lifetime

import (
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/metadata"
)

// ErrNoLock is the error if a caller requests a retention or legal hold in a bucket that was made
// without object lock.
var ErrNoLock = &storage.Error{
	Code: storage.Unsupported,
	Err:  errors.New("the bucket cannot lock objects"),
	Hint: "make the bucket with WithObjectLock",
}

// ApplySettings changes the settings of a bucket to those in r. versioning, locks and retention point
// to the settings of the bucket, and stay the same if r does not mention them. A bucket that locks
// objects must keep versions, and cannot end its locking.
func ApplySettings(r *driver.BucketRequest, versioning, locks *bool, retention *storage.DefaultRetention) error {
	if r.Versioning != nil {
		*versioning = *r.Versioning
	}
	*locks = *locks || r.ObjectLock

	if r.DefaultRetention != nil {
		if !*locks {
			return ErrNoLock
		}
		*retention = *r.DefaultRetention
	}

	if !*locks {
		return nil
	}
	if r.Versioning != nil && !*r.Versioning {
		return argument.Invalid("WithVersioning",
			"must not be false: the bucket locks objects, and keeps their versions", "")
	}
	*versioning = true
	return nil
}

// Locks reports whether a write sets a legal hold or a retention.
func Locks(c *storage.Controls) bool { return c.LegalHold || c.Retention != (storage.Retention{}) }

// DefaultRetention returns the retention of an object that is written at the time now, if the write
// sets none. d is the default retention of the bucket.
func DefaultRetention(d storage.DefaultRetention, now time.Time) storage.Retention {
	if d.Days == 0 {
		return storage.Retention{}
	}
	return storage.Retention{
		Mode:  d.Mode,
		Until: metadata.RoundUpTime(now).AddDate(0, 0, d.Days),
	}
}

// CheckRemoval fails with Locked if a legal hold or a retention prevents the removal of an object.
// With bypass, a retention in the mode Governance does not.
func CheckRemoval(r storage.Retention, hold, bypass bool, now time.Time) error {
	if hold {
		return &storage.Error{
			Code: storage.Locked,
			Err:  errors.New("the object is under a legal hold"),
			Hint: "end the hold with SetLegalHold",
		}
	}

	hasEnded := !now.Before(r.Until)
	isBypassed := bypass && r.Mode == storage.Governance
	if hasEnded || isBypassed {
		return nil
	}

	err := &storage.Error{
		Code: storage.Locked,
		Err:  errors.New("the object is under retention until " + r.Until.Format(time.RFC3339)),
	}
	if r.Mode == storage.Governance {
		err.Hint = "with the permission to, give WithGovernanceBypass"
	}
	return err
}

// CheckChange fails with Locked if r may not change the retention old. A retention can always be
// extended.
func CheckChange(old storage.Retention, r *driver.ChangeRequest, now time.Time) error {
	hasEnded := !now.Before(old.Until)
	extends := !r.Retention.Until.Before(old.Until) && r.Retention.Mode == old.Mode
	isBypassed := r.BypassGovernance && old.Mode == storage.Governance
	if hasEnded || extends || isBypassed {
		return nil
	}

	return &storage.Error{
		Code: storage.Locked,
		Err:  errors.New("a retention can only be extended"),
		Hint: "in the mode Governance, give WithGovernanceBypass",
	}
}
