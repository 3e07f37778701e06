package operations

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// getACL responds with the ACL of the bucket or, if the request names a key, of the object.
func getACL(r *request.Request) error {
	id, err := r.VersionID()
	if err != nil {
		return err
	}
	b, err := r.Bucket()
	if err != nil {
		return err
	}

	list := b.ACL
	account := b.Account
	if r.Target.Key != "" {
		list, account, err = objectACL(r, b, id)
		if err != nil {
			return err
		}
	}

	// Without ACLs, only the owner has permissions, for which the list is nil.
	if b.Ownership == state.OwnerEnforced {
		list = nil
	}
	return r.WriteXML("AccessControlPolicy", acl.ResponseOf(list, account, r.Server.Keys.AccountOf))
}

// objectACL returns the ACL of the requested object in bucket b, or of its version id, and the account of its owner.
func objectACL(r *request.Request, b *state.Bucket, id string) (list acl.List, account string, err error) {
	v, _, err := r.Find(state.VersionName{Bucket: r.Target.Bucket, Key: r.Target.Key, ID: id})
	defer r.Server.Store.Release(v)
	if err != nil {
		return nil, "", err
	}
	return v.Object.ACL, b.OwnerOf(&v.Object), nil
}

// A requestACL is the ACL that a request sets, in its headers or in its XML document.
type requestACL struct {
	request  *request.Request
	document *acl.Document // nil if the ACL is in the headers
}

// readACL reads the ACL that the request sets, which must be either in its headers or in its document.
func readACL(r *request.Request) (*requestACL, error) {
	document, err := r.ReadDocument()
	if err != nil {
		return nil, err
	}

	hasDocument := len(document) > 0
	inHeader := r.HTTP.Header.Get("X-Amz-Acl") != "" || acl.SetsGrants(r.HTTP.Header)
	if !hasDocument && !inHeader {
		return nil, s3error.New("MissingSecurityHeader", "MissingHeaderName", "x-amz-acl")
	}
	if !hasDocument {
		return &requestACL{request: r}, nil
	}
	if inHeader {
		return nil, s3error.New("UnexpectedContent")
	}

	a := &requestACL{request: r, document: &acl.Document{}}
	if xmldoc.Parse(document, a.document) != nil {
		return nil, s3error.New("MalformedACLError")
	}
	return a, nil
}

// list returns the ACL that the request sets for the bucket b, or for an object in it. account is the owner
// of that bucket or object.
func (a *requestACL) list(account string, b *state.Bucket, isObject bool) (acl.List, error) {
	if b.Ownership == state.OwnerEnforced {
		return nil, s3error.New("AccessControlListNotSupported")
	}
	list, err := a.parse(account, b.Account, isObject)
	if err != nil {
		return nil, err
	}
	if b.Block.Refuses(list) {
		return nil, s3error.New("AccessDenied")
	}
	return list, nil
}

// parse converts the request's document, or else its headers, to an ACL.
func (a *requestACL) parse(account, bucketAccount string, isObject bool) (acl.List, error) {
	lookup := a.request.Server.Keys.AccountOf
	if a.document != nil {
		return a.document.List(lookup, account)
	}
	list, _, err := acl.OfHeader(lookup, a.request.HTTP.Header, account, bucketAccount, isObject)
	return list, err
}

// putBucketACL replaces the ACL of a bucket.
func putBucketACL(r *request.Request) error {
	newACL, err := readACL(r)
	if err != nil {
		return err
	}
	const isObject = false
	return changeSettings(r, http.StatusOK, func(b *state.Bucket) error {
		list, err := newACL.list(b.Account, b, isObject)
		if err != nil {
			return err
		}
		b.ACL = list
		return nil
	})
}

// putObjectACL replaces the ACL of a version of an object.
func putObjectACL(r *request.Request) error {
	newACL, err := readACL(r)
	if err != nil {
		return err
	}
	const isObject = true
	return changeVersion(r, http.StatusOK, func(b *state.Bucket, v *state.Version) error {
		list, err := newACL.list(b.OwnerOf(&v.Object), b, isObject)
		if err != nil {
			return err
		}
		v.Object.ACL = list
		return nil
	})
}
