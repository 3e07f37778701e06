package access

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// isGranted reports whether an access control list (ACL) gives the caller the permission for the action. It is the ACL
// of the bucket or that of the object, depending on the action.
func (a *Access) isGranted() bool {
	b := a.bucket
	if b.Ownership == state.OwnerEnforced {
		// ACLs are disabled.
		return false
	}

	if permission := acl.BucketPermissions[a.action]; permission != "" {
		return b.ACL.Gives(permission, a.caller.Account, b.Block)
	}
	if a.action == "s3:PutObjectAcl" && !a.needsObject() {
		// A caller that may write objects to the bucket may also set their ACLs.
		return b.ACL.Gives(acl.PermitWrite, a.caller.Account, b.Block)
	}
	if permission := acl.ObjectPermissions[a.action]; permission != "" {
		v := a.version() // nil if it is missing
		return v != nil && v.Object.ACL.Gives(permission, a.caller.Account, b.Block)
	}
	return false
}

// NewObjectACL returns the ACL of an object that is written. In a bucket with disabled ACLs, it accepts only an ACL
// that gives full control to the bucket's owner and grants nothing else. If the server is not strict, it also accepts
// the canned ACL private, as MinIO does.
func NewObjectACL(s *request.Server, header http.Header, account string, b *state.Bucket) (acl.List, error) {
	const isObject = true
	list, hasACL, headerErr := acl.OfHeader(s.Keys.AccountOf, header, account, b.Account, isObject)

	// If a request has several errors, S3 reports first an unknown name of a canned ACL, then an ACL that the
	// bucket has disabled, and then any other error of the headers. Headers with grants have no canned ACL.
	isUnknownName := !acl.SetsGrants(header) && s3error.Is(headerErr, "InvalidArgument")
	if isUnknownName {
		return nil, headerErr
	}

	isDisabled := b.Ownership == state.OwnerEnforced
	if hasACL && isDisabled {
		isAcceptedPrivate := header.Get("X-Amz-Acl") == "private" && !s.Strict
		if !isAcceptedPrivate && !keepsOwner(b, header, list) {
			return nil, s3error.New("AccessControlListNotSupported")
		}
	}

	if headerErr != nil {
		return nil, headerErr
	}
	if b.Block.Refuses(list) {
		return nil, s3error.New("AccessDenied")
	}
	return list, nil
}

// keepsOwner reports whether an ACL gives full control to the bucket's owner and grants nothing else.
func keepsOwner(b *state.Bucket, header http.Header, list acl.List) bool {
	if canned := header.Get("X-Amz-Acl"); canned != "" {
		return canned == "bucket-owner-full-control"
	}
	ownerGrant := acl.Grant{Grantee: accounts.OwnerOf(b.Account).ID, Permission: acl.PermitAll}
	return len(list) == 1 && list[0] == ownerGrant
}

// SetNewACL sets the ACL of a new bucket to that in the request's headers, or fails if the bucket's settings refuse it.
func SetNewACL(s *request.Server, b *state.Bucket, header http.Header) error {
	// The owner of the ACL is that of the bucket.
	const isObject = false
	list, _, err := acl.OfHeader(s.Keys.AccountOf, header, b.Account, b.Account, isObject)
	if err != nil {
		return err
	}

	if list.GrantsOthers(b.Account) && b.Ownership == state.OwnerEnforced {
		return s3error.New("InvalidBucketAclWithObjectOwnership", "BucketName", b.Name)
	}
	if b.Block.Refuses(list) {
		return s3error.New("InvalidBucketAclWithBlockPublicAccessError", "BucketName", b.Name)
	}
	b.ACL = list
	return nil
}
