package azure

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
)

// lockVersion is the first service version with immutability policies of versions. An older one
// would ignore them.
const lockVersion = "2020-06-12"

const lockHint = "enable version-level immutability of the container or of its account, in the management plane (portal, az, ARM)"

var errNoLock = &storage.Error{Code: storage.Unsupported, Err: errors.New("the container cannot lock objects"), Hint: lockHint}

// policyMode returns the mode of the immutability policy of a write, or nil.
func policyMode(r storage.Retention) *blob.ImmutabilityPolicySetting {
	switch r.Mode {
	case storage.Governance:
		return to.Ptr(blob.ImmutabilityPolicySettingUnlocked)
	case storage.Compliance:
		return to.Ptr(blob.ImmutabilityPolicySettingLocked)
	}
	return nil
}

// policyEnd returns the end of the immutability policy of a write, or nil.
func policyEnd(r storage.Retention) *time.Time {
	if r == (storage.Retention{}) {
		return nil
	}
	return &r.Until
}

// legalHold returns the hold of a write, or nil.
func legalHold(held bool) *bool {
	if !held {
		return nil
	}
	return &held
}

// retentionOf returns the retention in a response. A policy that is inherited from the container
// is "mutable".
func retentionOf(p *blob.GetPropertiesResponse) storage.Retention {
	if p.ImmutabilityPolicyExpiresOn == nil {
		return storage.Retention{}
	}
	r := storage.Retention{Mode: storage.Governance, Until: p.ImmutabilityPolicyExpiresOn.UTC()}
	if p.ImmutabilityPolicyMode != nil && strings.EqualFold(string(*p.ImmutabilityPolicyMode), string(blob.ImmutabilityPolicyModeLocked)) {
		r.Mode = storage.Compliance
	}
	return r
}

// checkLocks returns Unsupported if a write locks its object and the container cannot, so that
// nothing is stored. The emulator would drop the locks.
func (d *driver) checkLocks(ctx context.Context, c *storage.Controls) error {
	if !c.LegalHold && c.Retention == (storage.Retention{}) {
		return nil
	}
	return d.canLock(ctx)
}

// canLock requests whether the container can lock objects. If the credential may not know, the
// service decides.
func (d *driver) canLock(ctx context.Context) error {
	p, err := d.containerProperties(ctx)
	if p == nil {
		return err
	}
	if !deref(p.IsImmutableStorageWithVersioningEnabled) {
		return errNoLock
	}
	return nil
}

// containerProperties requests the properties of the container. If the credential may not read
// them, it returns nil without an error.
func (d *driver) containerProperties(ctx context.Context) (*container.GetPropertiesResponse, error) {
	p, err := ask(ctx, d.account, d.container.GetProperties, nil)
	if err == nil {
		return &p, nil
	}
	e := asError(reads(err))
	switch e.Code {
	case storage.PermissionDenied, storage.Unauthenticated:
		return nil, nil
	case storage.ObjectNotFound: // a 404 without a code
		e.Code = storage.BucketNotFound
	}
	return nil, e
}

var errKept = &storage.Error{
	Code: storage.Unsupported, Err: errors.New("the container's immutability policy or legal hold keeps blobs from being replaced"),
	Hint: "an open upload replaces and removes blobs of its own: use Upload, or a container with version-level immutability",
}

// checkReplaces returns errKept if the container has a policy or a legal hold for all of its blobs,
// so that an open upload could not be completed after its parts were sent.
// https://learn.microsoft.com/azure/storage/blobs/immutable-container-level-worm-policies
func (d *driver) checkReplaces(ctx context.Context) error {
	if d.replaces.Load() {
		return nil
	}
	p, err := d.containerProperties(ctx)
	switch {
	case p == nil:
		return err
	case !deref(p.IsImmutableStorageWithVersioningEnabled) && (deref(p.HasImmutabilityPolicy) || deref(p.HasLegalHold)):
		return errKept
	}
	d.replaces.Store(true)
	return nil
}

// properties requests the properties of an object or version, and returns its client.
func (d *driver) properties(ctx context.Context, key, version string, c storage.Condition, values []any) (*blob.Client, *blob.GetPropertiesResponse, error) {
	b, err := d.version(key, version)
	if err != nil {
		return nil, nil, err
	}
	found, err := ask(ctx, d.account, b.GetProperties, d.propertiesOptions(c, values))
	if err != nil {
		return nil, nil, reads(err)
	}
	return b, &found, nil
}

// SetRetention reads the policy and then sets it, because Azure lets everyone who may set an
// unlocked one shorten it. A change between the two requests is overwritten.
func (d *driver) SetRetention(ctx context.Context, r *storage.ChangeRequest) error {
	o := &blob.SetImmutabilityPolicyOptions{Mode: policyMode(r.Retention)}
	err := mustApply(d.natives(r.Native), o, "SetImmutabilityPolicy", func(f Options) func(*blob.SetImmutabilityPolicyOptions) { return f.SetImmutabilityPolicy })
	if err != nil {
		return err
	}
	b, found, err := d.properties(ctx, r.Key, r.Version, storage.Condition{}, r.Native)
	if err != nil {
		return d.lockError(ctx, err)
	}
	now, inForce := retentionOf(found), false
	if inForce = time.Now().Before(now.Until); inForce {
		if err := mayChange(now, r); err != nil {
			return err
		}
	}
	ends := r.Retention == (storage.Retention{})
	if ends && !inForce { // Azure never removes a locked policy
		return d.canLock(ctx)
	}
	err = writes(d.singleAttempt(ctx), func(ctx context.Context) (err error) {
		if ends {
			_, err = b.DeleteImmutabilityPolicy(ctx, nil)
		} else {
			_, err = b.SetImmutabilityPolicy(ctx, r.Retention.Until, o)
		}
		return err
	})
	return d.lockError(ctx, err)
}

// mayChange returns Locked if a retention that is in force may not become what r says.
func mayChange(now storage.Retention, r *storage.ChangeRequest) error {
	extends := r.Retention.Mode == now.Mode && !r.Retention.Until.Before(now.Until)
	if extends || r.BypassGovernance && now.Mode == storage.Governance {
		return nil
	}
	return retained(now)
}

// retained returns the error for an object that is under retention.
func retained(r storage.Retention) error {
	e := &storage.Error{Code: storage.Locked, Err: errors.New("the object is under retention until " + r.Until.Format(time.RFC3339))}
	if r.Mode == storage.Governance {
		e.Hint = "WithGovernanceBypass ends a retention in the mode governance"
	}
	return e
}

// SetLegalHold makes one Set Blob Legal Hold request.
func (d *driver) SetLegalHold(ctx context.Context, r *storage.ChangeRequest) error {
	b, err := d.version(r.Key, r.Version)
	if err != nil {
		return err
	}
	if len(d.natives(r.Native).options) > 0 {
		return &storage.Error{Code: storage.Unsupported, Hint: "WithOptions does not fit SetLegalHold: the SDK has no options for it"}
	}
	err = writes(d.singleAttempt(ctx), func(ctx context.Context) error {
		_, err := b.SetLegalHold(ctx, r.LegalHold, nil)
		return err
	})
	return d.lockError(ctx, err)
}

// lockError returns the error for a failed change of a lock, or nil. If the service gives another
// reason than the lock, it asks if the container can lock objects.
func (d *driver) lockError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	e := asError(err)
	switch {
	case e.Status == http.StatusNotFound:
		return d.notFound(ctx, e)
	case e.Code == storage.InvalidArgument, e.Code == storage.Unsupported, e.Status == http.StatusConflict && e.Code != storage.Locked && e.Code != storage.Archived:
		if cannot := d.canLock(ctx); errors.Is(cannot, storage.Unsupported) {
			return cannot
		}
	}
	return e
}

// unlock returns Locked if a version that is to be removed is locked. With a bypass it removes an
// unlocked policy.
func (d *driver) unlock(ctx context.Context, b *blob.Client, found *blob.GetPropertiesResponse, bypass bool) error {
	now := retentionOf(found)
	switch {
	case found.LegalHold != nil && *found.LegalHold:
		return &storage.Error{Code: storage.Locked, Err: errors.New("the object is under a legal hold")}
	case !time.Now().Before(now.Until):
		return nil
	case !bypass || now.Mode == storage.Compliance:
		return retained(now)
	}
	return writes(d.singleAttempt(ctx), func(ctx context.Context) error {
		_, err := b.DeleteImmutabilityPolicy(ctx, nil)
		return err
	})
}
