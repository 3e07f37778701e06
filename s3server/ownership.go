package s3server

import (
	"encoding/xml"
	"net/http"
	"slices"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// ownerEnforced is the ownership of a bucket without access control lists, which is
// AWS's default.
const (
	ownerEnforced  = "BucketOwnerEnforced"
	ownerPreferred = "BucketOwnerPreferred"
	objectWriter   = "ObjectWriter"
)

var ownerships = []string{ownerEnforced, ownerPreferred, objectWriter}

// ownerOf returns the owner of an object in the bucket.
func (b *bucket) ownerOf(o *object) string {
	if b.ownership == ownerEnforced {
		return b.account
	}
	return o.account
}

// ownerOfNew returns the owner of an object that the account writes with a canned list.
func (b *bucket) ownerOfNew(account, canned string) string {
	if b.ownership == ownerEnforced || b.ownership == ownerPreferred && canned == "bucket-owner-full-control" {
		return b.account
	}
	return account
}

type ownershipControls struct {
	XMLName xml.Name `xml:"OwnershipControls"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Rule    []struct{ ObjectOwnership string }
}

func getOwnership(r *request) error {
	response := ownershipControls{Xmlns: xmldoc.Namespace}
	err := r.view(func(b *bucket) error {
		if b.ownership == "" {
			return s3error.New("OwnershipControlsNotFoundError", "BucketName", b.name)
		}
		response.Rule = []struct{ ObjectOwnership string }{{b.ownership}}
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}

func putOwnership(r *request) error {
	var asked ownershipControls
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if len(asked.Rule) != 1 {
		return s3error.New("MalformedXML")
	}
	if !slices.Contains(ownerships, asked.Rule[0].ObjectOwnership) {
		return s3error.New("MalformedXML")
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		if asked.Rule[0].ObjectOwnership == ownerEnforced && b.acl.grantsOthers(b.account) {
			return s3error.New("InvalidBucketAclWithObjectOwnership", "BucketName", b.name)
		}
		b.ownership = asked.Rule[0].ObjectOwnership
		return nil
	})
}

func deleteOwnership(r *request) error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.ownership = ""
		return nil
	})
}
