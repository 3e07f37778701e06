package azure

import (
	"cmp"
	"context"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
)

// pendingPrefix begins the archive status of an object that is being restored, such as
// "rehydrate-pending-to-hot".
const pendingPrefix = "rehydrate-pending-to-"

// priorityVersion is the first service version with priorities of a restore. An older service
// version would ignore them.
const priorityVersion = "2019-02-02"

// Restore moves an archived object to the tier of WithAccessTier, or else to Hot. If a move with
// the priority Standard has already begun, Restore can raise its priority to High. It reads the
// properties first.
//
// https://learn.microsoft.com/azure/storage/blobs/archive-rehydrate-overview
func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	if r.SoftDeleted {
		return d.undelete(ctx, r)
	}
	priority, err := rehydratePriority(r.RestoreTier)
	if err != nil {
		return err
	}

	// The user's functions of WithOptions may change the request.
	n := newNativeOptions(r.Native)
	opts := &blob.SetTierOptions{RehydratePriority: priority}
	if err := n.applyOrFail(opts, "SetTier"); err != nil {
		return err
	}

	client, props, err := d.container.properties(ctx, r.Key, r.Version, storage.Condition{}, r.Native)
	if err != nil {
		return d.container.changeError(ctx, err)
	}
	tier, isNeeded := tierToRestore(props, n.tier, *priority)
	if !isNeeded {
		return nil
	}

	// The request begins the move, or raises its priority.
	request := func(ctx context.Context, opts *blob.SetTierOptions) (blob.SetTierResponse, error) {
		return client.SetTier(ctx, tier, opts)
	}
	_, err = write(ctx, d.account, request, opts)
	return d.container.changeError(ctx, err)
}

// tierToRestore returns the tier to which a request must move an archived object with these properties.
// wantTier "" means Hot. If a move has already begun, its tier stays, and a request can only raise its
// priority. tierToRestore returns false if no request is needed.
func tierToRestore(
	props *blob.GetPropertiesResponse, wantTier string, priority blob.RehydratePriority,
) (tier blob.AccessTier, isNeeded bool) {
	isArchived := strings.EqualFold(deref(props.AccessTier), string(blob.AccessTierArchive))
	if !isArchived {
		return "", false
	}

	pendingTier, isPending := strings.CutPrefix(deref(props.ArchiveStatus), pendingPrefix)
	if !isPending {
		return blob.AccessTier(cmp.Or(wantTier, string(blob.AccessTierHot))), true
	}

	// A move has begun.
	hasHighPriority := strings.EqualFold(deref(props.RehydratePriority), string(blob.RehydratePriorityHigh))
	raisesPriority := !hasHighPriority && priority == blob.RehydratePriorityHigh
	if !raisesPriority {
		return "", false
	}
	return tierNamed(pendingTier), true
}

// tierNamed returns the tier with a name, in upper or lower case, as at the end of the archive
// status rehydrate-pending-to-cool.
func tierNamed(name string) blob.AccessTier {
	for _, tier := range blob.PossibleAccessTierValues() {
		if strings.EqualFold(string(tier), name) {
			return tier
		}
	}
	return blob.AccessTierHot
}

// rehydratePriority returns the priority that WithRestoreTier names, or Standard if tier is "". For any
// other name, it fails with InvalidArgument.
func rehydratePriority(tier string) (*blob.RehydratePriority, error) {
	switch tier {
	case "":
		return new(blob.RehydratePriorityStandard), nil
	case string(blob.RehydratePriorityStandard), string(blob.RehydratePriorityHigh):
		return new(blob.RehydratePriority(tier)), nil
	}
	return nil, argument.Invalid("WithRestoreTier", "must be Standard or High", "")
}
