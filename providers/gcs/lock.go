package gcs

import (
	"context"
	"net/http"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/lifetime"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// Google's object retention corresponds to storage.Retention: Unlocked is Governance, and Locked is
// Compliance. A legal hold is a temporary hold, which every bucket supports.
// https://cloud.google.com/storage/docs/object-lock
const (
	unlocked = "Unlocked"
	locked   = "Locked"

	retentionEnabled = "Enabled" // set for a bucket whose objects can have a retention

	noRetentionHint = "the bucket has no object retention: make it with WithObjectLock; Google's console can give it to a bucket that exists"

	// governanceHint is the hint for a change that an unlocked retention forbids. A change of the
	// mode to Compliance needs the permission overrideUnlockedRetention, too.
	// https://cloud.google.com/storage/docs/json_api/v1/objects/patch
	governanceHint = "in the mode Governance, give WithGovernanceBypass, which needs storage.objects.overrideUnlockedRetention"

	lockModeHeader  = "X-Goog-Object-Lock-Mode"
	lockUntilHeader = "X-Goog-Object-Lock-Retain-Until-Date"
)

// retentionToSet returns a retention in the form of the SDK, or nil if r is zero.
func retentionToSet(r storage.Retention) *gcs.ObjectRetention {
	switch r.Mode {
	case storage.Governance:
		return &gcs.ObjectRetention{Mode: unlocked, RetainUntil: r.Until}
	case storage.Compliance:
		return &gcs.ObjectRetention{Mode: locked, RetainUntil: r.Until}
	}
	return nil
}

// retentionOf returns a retention of the SDK in the form of package storage. r may be nil.
func retentionOf(r *gcs.ObjectRetention) storage.Retention {
	if r == nil || r.RetainUntil.IsZero() {
		return storage.Retention{}
	}
	return storage.Retention{Mode: lockMode(r.Mode), Until: r.RetainUntil.UTC()}
}

// lockMode returns the mode for a mode of the JSON API or of the XML API.
func lockMode(mode string) storage.RetentionMode {
	switch mode {
	case locked, "COMPLIANCE":
		return storage.Compliance
	}
	return storage.Governance
}

// retentionOfHeader returns the retention in the headers of a response of the XML API, or the zero
// value if there is none.
func retentionOfHeader(h http.Header) storage.Retention {
	retainUntil, err := time.Parse(time.RFC3339, h.Get(lockUntilHeader))
	if err != nil {
		return storage.Retention{}
	}
	return storage.Retention{Mode: lockMode(h.Get(lockModeHeader)), Until: retainUntil.UTC()}
}

// setLockHeaders sets the headers with which the XML API gives an object a retention. r may be nil.
func setLockHeaders(h http.Header, r *gcs.ObjectRetention) {
	if r == nil {
		return
	}
	mode := "GOVERNANCE"
	if r.Mode == locked {
		mode = "COMPLIANCE"
	}
	h.Set(lockModeHeader, mode)
	h.Set(lockUntilHeader, r.RetainUntil.UTC().Format(time.RFC3339))
}

// lockError returns the error of a write. For the condition Absent, the error is PreconditionFailed
// if Google reports that a hold or a retention keeps the object, because the object then exists. If
// Google refuses a retention, lockError makes a request to check whether the bucket supports
// retentions.
func (b *bucket) lockError(ctx context.Context, err error, c storage.Condition, controls *storage.Controls) error {
	storageErr := translate(err)
	if c.Absent && storageErr.Code == storage.Locked {
		return sdkerror.WithCode(storageErr, storage.PreconditionFailed, "")
	}
	if controls.Retention == (storage.Retention{}) {
		return err
	}
	if storageErr.Status != http.StatusBadRequest || storageErr.Code != storage.InvalidArgument {
		return err
	}

	bucketAttrs, bucketErr := b.handle().Attrs(ctx)
	if tempErr := temporaryError(bucketErr); tempErr != nil {
		return tempErr
	}
	if bucketErr != nil || bucketAttrs.ObjectRetentionMode == retentionEnabled {
		return err
	}
	return sdkerror.WithCode(storageErr, storage.Unsupported, noRetentionHint)
}

// SetRetention makes one request. If Google refuses the change, SetRetention makes another request to
// determine the reason: the retention that the object has, or a bucket that does not permit retentions.
func (d *objectDriver) SetRetention(ctx context.Context, r *driver.ChangeRequest) error {
	change := retentionToSet(r.Retention)
	if change == nil {
		change = &gcs.ObjectRetention{} // removes it
	}
	err := d.bucket.update(ctx, r, gcs.ObjectAttrsToUpdate{Retention: change})
	switch statusOf(err) {
	case http.StatusBadRequest:
		// lockError looks for a reason only if the request has a retention. A request that removes a
		// retention has none, so name any.
		anyRetention := &storage.Controls{Retention: storage.Retention{Mode: storage.Governance}}
		return d.bucket.lockError(ctx, err, storage.Condition{}, anyRetention)
	case http.StatusForbidden:
		return d.bucket.retentionError(ctx, err, r)
	}
	return err
}

// retentionError returns the error for a change of a retention that Google has refused with err. The error
// is Locked if the present retention of the object does not permit the change.
func (b *bucket) retentionError(ctx context.Context, err error, r *driver.ChangeRequest) error {
	attrs, findErr := b.find(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1, Native: r.Native})
	if tempErr := temporaryError(findErr); tempErr != nil {
		return tempErr
	}
	if findErr != nil {
		return err
	}
	if lifetime.CheckChange(retentionOf(attrs.Retention), r, time.Now()) != nil {
		return sdkerror.WithCode(err, storage.Locked, governanceHint)
	}
	return err
}

// SetLegalHold sets or ends the object's temporary hold.
func (d *objectDriver) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	return d.bucket.update(ctx, r, gcs.ObjectAttrsToUpdate{TemporaryHold: r.LegalHold})
}

// update makes one request that changes attributes of an object, or of the version that r names.
func (b *bucket) update(ctx context.Context, r *driver.ChangeRequest, change gcs.ObjectAttrsToUpdate) error {
	object, err := b.objectVersion(r.Key, r.Version)
	if err != nil {
		return err
	}

	opts := newCallOptions(r.Native)
	object = opts.addKey(object)
	if r.BypassGovernance {
		object = object.OverrideUnlockedRetention(true)
	}
	_, err = write(withCallOptions(ctx, opts), func(ctx context.Context) (*gcs.ObjectAttrs, error) {
		return object.Update(ctx, change)
	})
	return b.changeError(ctx, err)
}

// changeError returns the error of a change, and determines for a 404 whether the object or the
// bucket is missing.
func (b *bucket) changeError(ctx context.Context, err error) error {
	if statusOf(err) == http.StatusNotFound {
		return b.notFound(ctx, err)
	}
	return err
}

// deleteGoverned ends the unlocked retention of an object with these attributes, and then removes the
// object.
func (d *objectDriver) deleteGoverned(ctx context.Context, r *driver.DeleteRequest, attrs *gcs.ObjectAttrs) error {
	opts := newCallOptions(r.Native)
	ctx = withCallOptions(ctx, opts)
	object := opts.addKey(d.bucket.handle().Object(r.Key).Generation(attrs.Generation))
	if err := endRetention(ctx, object, attrs.Metageneration); err != nil {
		return err
	}

	// The version is no longer retained, so remove it without the bypass.
	req := *r
	req.BypassGovernance = false
	return d.Delete(ctx, &req)
}

// endRetention ends the unlocked retention of an object. It fails if the object no longer has this
// metageneration, because another client may have locked it.
func endRetention(ctx context.Context, object *gcs.ObjectHandle, metageneration int64) error {
	// Each change of the attributes increases the metageneration.
	object = object.If(gcs.Conditions{MetagenerationMatch: metageneration}).OverrideUnlockedRetention(true)
	_, err := write(ctx, func(ctx context.Context) (*gcs.ObjectAttrs, error) {
		return object.Update(ctx, gcs.ObjectAttrsToUpdate{Retention: &gcs.ObjectRetention{}})
	})
	return err
}

// isKeptOnlyByUnlocked reports whether nothing but an unlocked retention keeps the object. An unlocked
// retention has the mode Governance, so a caller with the permission can bypass it.
func isKeptOnlyByUnlocked(attrs *gcs.ObjectAttrs) bool {
	retention := attrs.Retention
	if retention == nil || retention.Mode != unlocked {
		return false
	}
	if attrs.TemporaryHold || attrs.EventBasedHold {
		return false
	}
	bucketKeepsLonger := attrs.RetentionExpirationTime.After(retention.RetainUntil)
	return !bucketKeepsLonger
}
