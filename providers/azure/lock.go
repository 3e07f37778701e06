package azure

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/lifetime"
)

// lockVersion is the first service version with immutability policies of versions. An older service
// version would ignore such policies.
const lockVersion = "2020-06-12"

const lockHint = "enable version-level immutability of the container or of its account, in the management plane (portal, az, ARM)"

var errNoLock = &storage.Error{
	Code: storage.Unsupported,
	Err:  errors.New("the container cannot lock objects"),
	Hint: lockHint,
}

// policyMode returns the mode of the immutability policy that Azure needs for a retention, or nil if r is
// zero. An unlocked policy can be removed, and a locked one cannot.
func policyMode(r storage.Retention) *blob.ImmutabilityPolicySetting {
	switch r.Mode {
	case storage.Governance:
		return new(blob.ImmutabilityPolicySettingUnlocked)
	case storage.Compliance:
		return new(blob.ImmutabilityPolicySettingLocked)
	}
	return nil
}

// retentionOf returns the retention in a response. Every mode but "locked" is Governance, even "mutable",
// which a blob has if its policy is that of the container.
func retentionOf(p *blob.GetPropertiesResponse) storage.Retention {
	if p.ImmutabilityPolicyExpiresOn == nil {
		return storage.Retention{}
	}
	r := storage.Retention{Mode: storage.Governance, Until: p.ImmutabilityPolicyExpiresOn.UTC()}
	if strings.EqualFold(string(deref(p.ImmutabilityPolicyMode)), string(blob.ImmutabilityPolicyModeLocked)) {
		r.Mode = storage.Compliance
	}
	return r
}

// checkLocks returns Unsupported if a write sets locks and the container cannot lock objects. It
// must be called before the write, because the emulator would store the object without the locks.
func (bc *blobContainer) checkLocks(ctx context.Context, c *storage.Controls) error {
	if !c.LegalHold && c.Retention == (storage.Retention{}) {
		return nil
	}
	return bc.checkCanLock(ctx)
}

// checkCanLock requests the properties of the container, and returns an error if it cannot lock
// objects. It returns nil if the credential may not read them, so that the service decides.
func (bc *blobContainer) checkCanLock(ctx context.Context) error {
	p, err := bc.containerProperties(ctx)
	if p == nil {
		return err // nil if the credential may not read the properties
	}
	if !deref(p.IsImmutableStorageWithVersioningEnabled) {
		return errNoLock
	}
	return nil
}

// SetRetention reads the policy and checks the change before it sets the policy, because Azure lets
// everyone who may set an unlocked policy shorten it, too. A change between the two requests is
// overwritten.
func (d *objectDriver) SetRetention(ctx context.Context, r *driver.ChangeRequest) error {
	// The user's functions of WithOptions may change the request.
	opts := &blob.SetImmutabilityPolicyOptions{Mode: policyMode(r.Retention)}
	if err := newNativeOptions(r.Native).applyOrFail(opts, "SetImmutabilityPolicy"); err != nil {
		return err
	}

	// Check the change against the present policy.
	client, props, err := d.container.properties(ctx, r.Key, r.Version, storage.Condition{}, r.Native)
	if err != nil {
		return d.container.lockError(ctx, err)
	}
	oldRetention := retentionOf(props)
	now := time.Now()
	if err := lifetime.CheckChange(oldRetention, r, now); err != nil {
		return err
	}

	// A zero retention removes the policy.
	if r.Retention == (storage.Retention{}) {
		hasEnded := !now.Before(oldRetention.Until)
		if hasEnded {
			// There is no policy to remove, or it has expired. Azure would even refuse a request to
			// remove a locked policy that has expired.
			return d.container.checkCanLock(ctx)
		}
		_, err = write(ctx, d.account, client.DeleteImmutabilityPolicy, nil)
		return d.container.lockError(ctx, err)
	}

	request := func(
		ctx context.Context, opts *blob.SetImmutabilityPolicyOptions,
	) (blob.SetImmutabilityPolicyResponse, error) {
		return client.SetImmutabilityPolicy(ctx, r.Retention.Until, opts)
	}
	_, err = write(ctx, d.account, request, opts)
	return d.container.lockError(ctx, err)
}

// SetLegalHold makes one Set Blob Legal Hold request. If it fails, another request may show that the
// container cannot lock objects.
func (d *objectDriver) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	b, err := d.container.version(r.Key, r.Version)
	if err != nil {
		return err
	}
	hasOptions := len(newNativeOptions(r.Native).options) > 0 // those of WithOptions
	if hasOptions {
		return &storage.Error{
			Code: storage.Unsupported,
			Hint: "WithOptions does not fit SetLegalHold: the SDK has no options for it",
		}
	}
	request := func(ctx context.Context, opts *blob.SetLegalHoldOptions) (blob.SetLegalHoldResponse, error) {
		return b.SetLegalHold(ctx, r.LegalHold, opts)
	}
	_, err = write(ctx, d.account, request, nil)
	return d.container.lockError(ctx, err)
}

// lockError translates the error of a change of a retention or legal hold, which may be nil. If the cause
// is not clear, it makes a request to find out whether the container can lock objects at all.
func (bc *blobContainer) lockError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	storageErr := asError(err)
	if storageErr.Status == http.StatusNotFound {
		return bc.notFound(ctx, storageErr)
	}

	if !isUnclearLockError(storageErr) {
		return storageErr
	}
	if lockErr := bc.checkCanLock(ctx); errors.Is(lockErr, storage.Unsupported) {
		return lockErr
	}
	return storageErr
}

// isUnclearLockError reports whether the error of a change of a lock may mean that the container
// cannot lock objects.
func isUnclearLockError(err *storage.Error) bool {
	switch err.Code {
	case storage.InvalidArgument, storage.Unsupported:
		return true
	case storage.Locked, storage.Archived:
		// The cause is the object.
		return false
	default:
		return err.Status == http.StatusConflict
	}
}

// unlock prepares the removal of a version, and returns Locked if a lock forbids the removal. If bypass
// is true, unlock removes an unlocked immutability policy, so that the service permits the removal.
func (rm *remover) unlock(ctx context.Context, version *blob.Client, props *blob.GetPropertiesResponse, bypass bool) error {
	retention := retentionOf(props)
	now := time.Now()
	if err := lifetime.CheckRemoval(retention, deref(props.LegalHold), bypass, now); err != nil {
		return err
	}
	if !now.Before(retention.Until) {
		// There is no policy, or it has expired.
		return nil
	}
	_, err := write(ctx, rm.container.account, version.DeleteImmutabilityPolicy, nil)
	return err
}
