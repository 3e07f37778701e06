package s3server

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// listed reports whether the access control list (ACL) of the bucket or the object grants the
// permission.
func (a *access) listed() bool {
	b := a.bucket
	if b.Ownership == state.OwnerEnforced {
		return false
	}
	if permission := acl.BucketPermissions[a.action]; permission != "" {
		return b.ACL.Gives(permission, a.caller.account, b.Block)
	}
	if a.action == "s3:PutObjectAcl" && !a.needsObject() {
		// A caller that may write objects to the bucket may also set the ACL of the object it
		// writes.
		return b.ACL.Gives(acl.PermitWrite, a.caller.account, b.Block)
	}
	permission := acl.ObjectPermissions[a.action]
	return permission != "" && a.version() != nil && a.version().Object.ACL.Gives(permission, a.caller.account, b.Block)
}

// newObjectACL returns the ACL of an object that is written. If the bucket has ACLs disabled,
// newObjectACL accepts only an ACL that gives the bucket's owner full control and grants nothing
// else. A server that is not strict also accepts the canned ACL private, as MinIO does.
func newObjectACL(h *Handler, header http.Header, account string, b *state.Bucket) (acl.List, error) {
	list, ok, err := acl.OfHeader(h.accountOf, header, account, b.Account, true)
	wrongName := !acl.SetsGrants(header) && s3error.Is(err, "InvalidArgument")
	if wrongName {
		return nil, err
	}
	if ok && b.Ownership == state.OwnerEnforced && !keepsOwner(b, header, list) &&
		(h.config.Strict || header.Get("X-Amz-Acl") != "private") {
		return nil, s3error.New("AccessControlListNotSupported")
	}
	if err != nil {
		return nil, err
	}
	if b.Block.Refuses(list) {
		return nil, s3error.New("AccessDenied")
	}
	return list, nil
}

// keepsOwner reports whether an ACL gives full control to the bucket's owner and grants nothing
// else.
func keepsOwner(b *state.Bucket, header http.Header, list acl.List) bool {
	if canned := header.Get("X-Amz-Acl"); canned != "" {
		return canned == "bucket-owner-full-control"
	}
	return len(list) == 1 && list[0] == acl.Grant{Grantee: accounts.OwnerOf(b.Account).ID, Permission: acl.PermitAll}
}

// setNewACL sets the ACL of a bucket that is created. The ACL comes from the request's headers.
func setNewACL(h *Handler, b *state.Bucket, header http.Header) error {
	list, _, err := acl.OfHeader(h.accountOf, header, b.Account, b.Account, false)
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

// getACL responds with the ACL of the bucket or, if the request names a key, of the object.
func getACL(r *request) error {
	id, err := r.versionID()
	if err != nil {
		return err
	}
	return show("AccessControlPolicy", func(b *state.Bucket) (any, error) {
		list := b.ACL
		account := b.Account
		if r.target.key != "" {
			v, _, err := r.find(state.VersionName{Bucket: r.target.bucket, Key: r.target.key, ID: id})
			defer r.server.store.Release(v)
			if err != nil {
				return nil, err
			}
			list = v.Object.ACL
			account = b.OwnerOf(&v.Object)
		}
		if b.Ownership == state.OwnerEnforced {
			list = nil
		}
		return acl.ResponseOf(list, account, r.server.accountOf), nil
	})(r)
}

// An askedACL is the ACL that a request sets, in its headers or in its XML document.
type askedACL struct {
	request  *request
	document *acl.Document // nil if the ACL is in the headers
}

// readACL reads the ACL that the request sets. A request must have it either in its headers or in
// its document, and not in both.
func readACL(r *request) (*askedACL, error) {
	document, err := r.readDocument()
	if err != nil {
		return nil, err
	}
	inHeader := r.in.Header.Get("X-Amz-Acl") != "" || acl.SetsGrants(r.in.Header)
	if len(document) == 0 && !inHeader {
		return nil, s3error.New("MissingSecurityHeader", "MissingHeaderName", "x-amz-acl")
	}
	if len(document) == 0 {
		return &askedACL{request: r}, nil
	}
	if inHeader {
		return nil, s3error.New("UnexpectedContent")
	}
	a := &askedACL{request: r, document: &acl.Document{}}
	if xmldoc.Parse(document, a.document) != nil {
		return nil, s3error.New("MalformedACLError")
	}
	return a, nil
}

// list returns the ACL that the request sets. object is true for the ACL of an
// object, and false for the ACL of the bucket b. account is the owner of that object
// or bucket.
func (a *askedACL) list(account string, b *state.Bucket, object bool) (list acl.List, err error) {
	if b.Ownership == state.OwnerEnforced {
		return nil, s3error.New("AccessControlListNotSupported")
	}
	if a.document != nil {
		list, err = a.document.List(a.request.server.accountOf, account)
	} else {
		list, _, err = acl.OfHeader(a.request.server.accountOf, a.request.in.Header, account, b.Account, object)
	}
	if err == nil && b.Block.Refuses(list) {
		err = s3error.New("AccessDenied")
	}
	return list, err
}

func putBucketACL(r *request) error {
	asked, err := readACL(r)
	if err != nil {
		return err
	}
	return r.setting(http.StatusOK, func(b *state.Bucket) error {
		list, err := asked.list(b.Account, b, false)
		if err == nil {
			b.ACL = list
		}
		return err
	})
}

func putObjectACL(r *request) error {
	asked, err := readACL(r)
	if err != nil {
		return err
	}
	return changeVersion(r, http.StatusOK, func(b *state.Bucket, v *state.Version) error {
		list, err := asked.list(b.OwnerOf(&v.Object), b, true)
		if err == nil {
			v.Object.ACL = list
		}
		return err
	})
}
