package gcs

import (
	"context"
	"net/http"
	"slices"

	"cloud.google.com/go/iam"
	"cloud.google.com/go/iam/apiv1/iampb"
	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

const (
	allUsers              = "allUsers"
	allAuthenticatedUsers = "allAuthenticatedUsers" // everyone with an account of Google

	// publicRole permits reading objects, but not listing them, as in a public
	// bucket on S3.
	publicRole = "roles/storage.legacyObjectReader"

	policyTries = 4 // attempts for one change, if other clients change the policy at the same time
)

// readRoles are the roles that permit reading every object. A project may have custom roles that
// permit it, too, but a policy does not list the permissions of its roles.
// https://cloud.google.com/storage/docs/access-control/iam-roles
var readRoles = []string{
	publicRole,
	"roles/storage.objectViewer", "roles/storage.legacyObjectOwner",
	"roles/storage.objectUser", "roles/storage.objectAdmin", "roles/storage.admin",
}

// prevention returns the bucket's setting for the prevention of public access: "enforced", which
// overrides policies and the ACLs of objects, or for a public bucket "inherited", with which the
// organization's setting applies.
func prevention(public bool) gcs.PublicAccessPrevention {
	if public {
		return gcs.PublicAccessPreventionInherited
	}
	return gcs.PublicAccessPreventionEnforced
}

// isPublic reports whether the IAM policy of the bucket permits everyone to read every object. It returns
// false for a server without IAM, such as an emulator.
func (b *bucket) isPublic(ctx context.Context) (bool, error) {
	policy, err := b.policy(ctx)
	if isUnknownRequest(err) {
		// The bucket exists, but the server has no policies.
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(policy.Bindings, isPublicRead), nil
}

// isPublicRead reports whether a binding permits everyone to read. Google regards both groups,
// allUsers and allAuthenticatedUsers, as public.
// https://cloud.google.com/storage/docs/public-access-prevention
func isPublicRead(binding *iampb.Binding) bool {
	return binding.Condition == nil && slices.Contains(readRoles, binding.Role) &&
		slices.ContainsFunc(binding.Members, isPublicMember)
}

func isPublicMember(member string) bool { return member == allUsers || member == allAuthenticatedUsers }

// addPublicRead permits everyone to read the bucket's objects. If the bucket prevents public
// access, it fails.
func (b *bucket) addPublicRead(ctx context.Context) error {
	err := b.changePolicy(ctx, addAllUsers)
	if storage.CodeOf(err) == storage.PermissionDenied && statusOf(err) == http.StatusPreconditionFailed {
		return sdkerror.WithCode(
			err, storage.PermissionDenied,
			"the organization may prevent public access (constraints/storage.publicAccessPrevention, "+
				"iam.allowedPolicyMemberDomains); if that was just changed, wait some minutes",
		)
	}
	return err
}

// addAllUsers changes the policy so that everyone may read, and reports whether that was a change.
func addAllUsers(policy *iam.Policy3) (changed bool) {
	for _, binding := range policy.Bindings {
		if isPublicRead(binding) && slices.Contains(binding.Members, allUsers) {
			return false
		}
	}

	// Add to the binding of the role, or make one.
	for _, binding := range policy.Bindings {
		if binding.Role == publicRole && binding.Condition == nil {
			binding.Members = append(binding.Members, allUsers)
			return true
		}
	}
	policy.Bindings = append(policy.Bindings, &iampb.Binding{Role: publicRole, Members: []string{allUsers}})
	return true
}

// removePublic takes all rights from everyone. The members that the policy names keep theirs.
func (b *bucket) removePublic(ctx context.Context) error {
	return b.changePolicy(ctx, removePublicMembers)
}

// removePublicMembers removes everyone from all bindings of the policy, and reports whether that was a
// change. It also removes bindings that have no members.
func removePublicMembers(policy *iam.Policy3) (changed bool) {
	for _, binding := range policy.Bindings {
		members := slices.DeleteFunc(slices.Clone(binding.Members), isPublicMember)
		if len(members) < len(binding.Members) {
			changed = true
		}
		binding.Members = members
	}
	policy.Bindings = slices.DeleteFunc(policy.Bindings, func(binding *iampb.Binding) bool {
		return len(binding.Members) == 0
	})
	return changed
}

// changePolicy reads the policy, calls the function change with it, and writes the policy if the
// function has changed it. If another client has written the policy in between, changePolicy starts
// over.
func (b *bucket) changePolicy(ctx context.Context, change func(policy *iam.Policy3) (changed bool)) error {
	var writeErr error
	for range policyTries {
		policy, err := b.policy(ctx)
		if err != nil {
			return policyError(err)
		}
		if !change(policy) {
			return nil
		}
		writeErr = writes(ctx, func(ctx context.Context) error { return b.handle().IAM().V3().SetPolicy(ctx, policy) })
		if writeErr == nil {
			return nil
		}
		if !isStalePolicy(writeErr) {
			break
		}
	}
	return policyError(writeErr)
}

// policyError returns the error for an IAM policy that could not be read or written, because of err.
func policyError(err error) error {
	if isUnknownRequest(err) {
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  err,
			Hint: "this server has no IAM policies: if its objects are public, open the bucket with WithPublicBaseURL",
		}
	}
	if isStalePolicy(err) {
		return sdkerror.WithCode(err, storage.Unavailable, "other clients are changing the bucket's IAM policy: try again")
	}
	return bucketError(err)
}

// isStalePolicy reports whether another client may have written the policy since it was read. Cloud
// Storage documents status 412 for this case, and other services of Google document 409. Google
// also sends status 412 if a constraint of the organization forbids the policy. Such an error has
// the Code PermissionDenied, and isStalePolicy returns false.
// https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy
func isStalePolicy(err error) bool {
	return storage.CodeOf(err) == storage.PreconditionFailed || statusOf(err) == http.StatusConflict
}

// policy returns the IAM policy in version 3. Older versions omit bindings with conditions, so
// writing the policy back would remove these bindings.
func (b *bucket) policy(ctx context.Context) (*iam.Policy3, error) {
	policy, err := b.handle().IAM().V3().Policy(ctx)
	return policy, translator.Read(err)
}
