package s3server

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

// ownerEnforced is the ownership of a bucket without access control lists, which is
// AWS's default.
const (
	ownerEnforced  = "BucketOwnerEnforced"
	ownerPreferred = "BucketOwnerPreferred"
	objectWriter   = "ObjectWriter"
)

var cannedACLs = []string{
	"private", "public-read", "public-read-write", "aws-exec-read", "authenticated-read", "bucket-owner-read",
	"bucket-owner-full-control", "log-delivery-write",
}

func isPublicACL(acl string) bool {
	return acl == "public-read" || acl == "public-read-write" || acl == "authenticated-read"
}

// checkACL checks the list that a write sets. If the bucket has no lists, only the one
// that changes nothing is accepted.
func (b *bucket) checkACL(header http.Header) error {
	acl := header.Get("X-Amz-Acl")
	for name := range header {
		if strings.HasPrefix(name, "X-Amz-Grant-") {
			if b.ownership == ownerEnforced {
				return newError("AccessControlListNotSupported")
			}
			return newError("NotImplemented", "Header", name)
		}
	}
	switch {
	case acl == "":
		return nil
	case !slices.Contains(cannedACLs, acl):
		return newError("InvalidArgument", "ArgumentName", "x-amz-acl", "ArgumentValue", acl)
	case b.ownership == ownerEnforced && acl != "bucket-owner-full-control":
		return newError("AccessControlListNotSupported")
	case isPublicACL(acl) && b.block != nil && b.block.BlockPublicAcls:
		return newError("AccessDenied")
	}
	return nil
}

// setACL checks and sets the bucket's own list.
func (b *bucket) setACL(header http.Header) error {
	acl := header.Get("X-Amz-Acl")
	if acl == "" {
		return nil
	}
	if isPublicACL(acl) {
		if b.ownership == ownerEnforced {
			return newError("InvalidBucketAclWithObjectOwnership", "BucketName", b.name)
		}
		if b.block != nil && b.block.BlockPublicAcls {
			return newError("InvalidBucketAclWithBlockPublicAccessError", "BucketName", b.name)
		}
	}
	if !slices.Contains(cannedACLs, acl) {
		return newError("InvalidArgument", "ArgumentName", "x-amz-acl", "ArgumentValue", acl)
	}
	b.acl = acl
	return nil
}

// putBucketACL accepts only canned lists, and so does putObjectACL.
func (r *request) putBucketACL() error {
	return r.setting(http.StatusOK, func(b *bucket) error {
		if r.Header.Get("X-Amz-Acl") == "" {
			return newError("NotImplemented").withMessage("This server takes canned ACLs only")
		}
		if err := b.checkACL(r.Header); err != nil {
			return err
		}
		b.acl = r.Header.Get("X-Amz-Acl")
		return nil
	})
}

func (r *request) putObjectACL() error {
	id, err := r.versionID()
	if err != nil {
		return err
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		v, err := b.readable(r.key, id)
		if err != nil {
			return err
		}
		if r.Header.Get("X-Amz-Acl") == "" {
			return newError("NotImplemented").withMessage("This server takes canned ACLs only")
		}
		if err := b.checkACL(r.Header); err != nil {
			return err
		}
		changed := *v
		changed.acl = r.Header.Get("X-Amz-Acl")
		versions, _ := b.keys.Get(r.key)
		versions = slices.Clone(versions)
		versions[slices.Index(versions, v)] = &changed
		b.keys.Set(r.key, versions)
		return nil
	})
}

type aclResponse struct {
	XMLName           xml.Name `xml:"AccessControlPolicy"`
	Xmlns             string   `xml:"xmlns,attr"`
	Owner             owner
	AccessControlList struct{ Grant []grant }
}

type grant struct {
	Grantee    grantee
	Permission string
}

type grantee struct {
	Xsi         string `xml:"xmlns:xsi,attr"`
	Type        string `xml:"xsi:type,attr"`
	ID          string `xml:",omitempty"`
	DisplayName string `xml:",omitempty"`
	URI         string `xml:",omitempty"`
}

// getACL returns the list of the bucket or the object: it grants access to the owner,
// and to everyone if the canned list says so.
func (r *request) getACL() error {
	id, err := r.versionID()
	if err != nil {
		return err
	}
	acl, account := "", ""
	err = r.view(func(b *bucket) error {
		acl, account = b.acl, b.account
		if r.key == "" {
			return nil
		}
		v, err := b.readable(r.key, id)
		if err == nil {
			acl, account = v.acl, b.ownerOf(&v.object)
		}
		return err
	})
	if err != nil {
		return err
	}
	const xsi = "http://www.w3.org/2001/XMLSchema-instance"
	response := aclResponse{Xmlns: namespace, Owner: ownerOf(account)}
	grants := &response.AccessControlList.Grant
	*grants = []grant{{grantee{Xsi: xsi, Type: "CanonicalUser", ID: response.Owner.ID, DisplayName: response.Owner.DisplayName}, "FULL_CONTROL"}}
	if strings.HasPrefix(acl, "public-read") {
		*grants = append(*grants, grant{grantee{Xsi: xsi, Type: "Group", URI: "http://acs.amazonaws.com/groups/global/AllUsers"}, "READ"})
	}
	return r.writeXML(response)
}
