package gcs

import (
	"context"
	"net/http"
	"slices"

	"cloud.google.com/go/iam"
	"cloud.google.com/go/iam/apiv1/iampb"
	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
)

const (
	allUsers = "allUsers"
	// publicRole reads objects and lists none, as a public bucket does on S3.
	publicRole = "roles/storage.legacyObjectReader"

	policyTries = 4 // of a change, where others change the policy too
)

// readRoles let whoever has them read every object. A project's own roles may
// too: what they let, the policy does not say.
// https://cloud.google.com/storage/docs/access-control/iam-roles
var readRoles = []string{
	publicRole,
	"roles/storage.objectViewer", "roles/storage.legacyObjectOwner",
	"roles/storage.objectUser", "roles/storage.objectAdmin", "roles/storage.admin",
}

// prevention is Google's bar to public access, which holds over any policy and
// over the access lists of single objects. Without it the organization's own
// still holds.
func prevention(public bool) gcs.PublicAccessPrevention {
	if public {
		return gcs.PublicAccessPreventionInherited
	}
	return gcs.PublicAccessPreventionEnforced
}

// public reports whether everyone can read every object; false too for who may
// not read the policy (storage.buckets.getIamPolicy), which is a right of its own.
func (b *managedBucket) public(ctx context.Context) (bool, error) {
	policy, err := b.policy(ctx)
	switch {
	case isUnknownRequest(err), storage.CodeOf(err) == storage.PermissionDenied:
		return false, nil // the bucket is there; the server may have no policies
	case err != nil:
		return false, err
	}
	return slices.ContainsFunc(policy.Bindings, isPublicRead), nil
}

func isPublicRead(binding *iampb.Binding) bool {
	return binding.Condition == nil && slices.Contains(readRoles, binding.Role) && slices.Contains(binding.Members, allUsers)
}

// addPublicRead has everyone read the bucket's objects, once the bucket itself
// does not bar it.
func (b *managedBucket) addPublicRead(ctx context.Context) error {
	err := b.changePolicy(ctx, func(policy *iam.Policy3) bool {
		if slices.ContainsFunc(policy.Bindings, isPublicRead) {
			return false
		}
		for _, binding := range policy.Bindings {
			if binding.Role == publicRole && binding.Condition == nil {
				binding.Members = append(binding.Members, allUsers)
				return true
			}
		}
		policy.Bindings = append(policy.Bindings, &iampb.Binding{Role: publicRole, Members: []string{allUsers}})
		return true
	})
	if statusOf(err) == http.StatusPreconditionFailed {
		return withCode(err, storage.PermissionDenied, "the organization may prevent public access (constraints/storage.publicAccessPrevention, iam.allowedPolicyMemberDomains); a bucket of which it was just lifted takes some minutes")
	}
	return err
}

// removePublic takes from everyone whatever the bucket's policy gives.
func (b *managedBucket) removePublic(ctx context.Context) error {
	return b.changePolicy(ctx, func(policy *iam.Policy3) bool {
		changed := false
		for _, binding := range policy.Bindings {
			kept := slices.DeleteFunc(slices.Clone(binding.Members), func(member string) bool { return member == allUsers })
			changed = changed || len(kept) < len(binding.Members)
			binding.Members = kept
		}
		policy.Bindings = slices.DeleteFunc(policy.Bindings, func(binding *iampb.Binding) bool { return len(binding.Members) == 0 })
		return changed
	})
}

// changePolicy writes what change makes of the policy, unless somebody else
// has written it meanwhile: then it is read and changed anew.
func (b *managedBucket) changePolicy(ctx context.Context, change func(policy *iam.Policy3) (changed bool)) error {
	var err error
	for range policyTries {
		var policy *iam.Policy3
		if policy, err = b.policy(ctx); err != nil {
			break
		}
		if !change(policy) {
			return nil
		}
		err = writes(ctx, func(ctx context.Context) error { return b.handle.IAM().V3().SetPolicy(ctx, policy) })
		if status := statusOf(err); status != http.StatusPreconditionFailed && status != http.StatusConflict {
			break
		}
	}
	switch {
	case isUnknownRequest(err):
		return &storage.Error{Code: storage.Unsupported, Err: err, Hint: "this server has no IAM policies: open the bucket with WithPublicBaseURL where its objects are public"}
	case statusOf(err) == http.StatusConflict:
		return withCode(err, storage.Unavailable, "others change the bucket's IAM policy at the same time")
	}
	return bucketError(err)
}

// policy is asked for in version 3, which alone shows bindings with conditions:
// writing an older one back would drop them.
func (b *managedBucket) policy(ctx context.Context) (*iam.Policy3, error) {
	policy, err := b.handle.IAM().V3().Policy(ctx)
	if err != nil {
		return nil, translate(err)
	}
	return policy, nil
}
