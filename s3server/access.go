package s3server

import (
	"encoding/xml"
	"net/http"
)

// authorize allows the owner everything, and anyone else what policies and access
// control lists allow everyone.
func (r *request) authorize() error {
	if !r.caller.anonymous {
		return nil
	}
	b, err := r.server.store.bucket(r.Context(), r.bucket)
	if err != nil {
		if r.bucket != "" {
			return err
		}
		return newError("AccessDenied")
	}
	var current *version
	if publicActions[r.operation] == "s3:GetObject" {
		v, _, err := r.server.store.find(r.Context(), versionName{bucket: r.bucket, key: r.key})
		if err != nil {
			return err
		}
		defer r.server.store.release(v)
		current = v
	}
	if b.open(r.operation, r.key, current) {
		return nil
	}
	return newError("AccessDenied")
}

// publicActions maps the operations that a policy can allow everyone to the policy's
// actions.
var publicActions = map[string]string{
	"GetObject":     "s3:GetObject",
	"HeadObject":    "s3:GetObject",
	"ListObjects":   "s3:ListBucket",
	"ListObjectsV2": "s3:ListBucket",
	"HeadBucket":    "s3:ListBucket",
	"PutObject":     "s3:PutObject",
	"DeleteObject":  "s3:DeleteObject",
}

// open reports whether everyone may do this. v is the current version, for operations that read
// one.
func (b *bucket) open(operation, key string, v *version) bool {
	action := publicActions[operation]
	if action == "" {
		return false
	}
	given := func(action, resource string) bool {
		restricted := b.block != nil && b.block.RestrictPublicBuckets
		return b.policy != nil && !restricted && b.policy.allows(action, resource)
	}
	if action != "s3:GetObject" {
		return given(action, b.resource(key))
	}
	// A caller without permission to list is not told that a key is missing.
	if (v == nil || v.marker) && !given("s3:ListBucket", b.resource("")) {
		return false
	}
	return given(action, b.resource(key)) || b.aclOpen(v)
}

// aclOpen reports whether an access control list lets everyone read.
func (b *bucket) aclOpen(v *version) bool {
	if b.ownership == ownerEnforced || b.block != nil && b.block.IgnorePublicAcls {
		return false
	}
	return v != nil && isPublicACL(v.acl)
}

func (b *bucket) resource(key string) string {
	if key == "" {
		return "arn:aws:s3:::" + b.name
	}
	return "arn:aws:s3:::" + b.name + "/" + key
}

type accessBlock struct {
	XMLName               xml.Name `xml:"PublicAccessBlockConfiguration"`
	Xmlns                 string   `xml:"xmlns,attr,omitempty"`
	BlockPublicAcls       bool
	IgnorePublicAcls      bool
	BlockPublicPolicy     bool
	RestrictPublicBuckets bool
}

func (r *request) getAccessBlock() error {
	var response accessBlock
	err := r.view(func(b *bucket) error {
		if b.block == nil {
			return newError("NoSuchPublicAccessBlockConfiguration", "BucketName", b.name)
		}
		response = *b.block
		return nil
	})
	if err != nil {
		return err
	}
	response.XMLName, response.Xmlns = xml.Name{}, namespace
	return r.writeXML(response)
}

func (r *request) putAccessBlock() error {
	var asked accessBlock
	if err := r.readXML(&asked); err != nil {
		return err
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		b.block = &asked
		return nil
	})
}

func (r *request) deleteAccessBlock() error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.block = nil
		return nil
	})
}

type ownershipControls struct {
	XMLName xml.Name `xml:"OwnershipControls"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Rule    []struct{ ObjectOwnership string }
}

func (r *request) getOwnership() error {
	response := ownershipControls{Xmlns: namespace}
	err := r.view(func(b *bucket) error {
		if b.ownership == "" {
			return newError("OwnershipControlsNotFoundError", "BucketName", b.name)
		}
		response.Rule = []struct{ ObjectOwnership string }{{b.ownership}}
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}

func (r *request) putOwnership() error {
	var asked ownershipControls
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if len(asked.Rule) != 1 {
		return newError("MalformedXML")
	}
	switch asked.Rule[0].ObjectOwnership {
	case ownerEnforced, "BucketOwnerPreferred", "ObjectWriter":
	default:
		return newError("MalformedXML")
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		if asked.Rule[0].ObjectOwnership == ownerEnforced && isPublicACL(b.acl) {
			return newError("InvalidBucketAclWithObjectOwnership", "BucketName", b.name)
		}
		b.ownership = asked.Rule[0].ObjectOwnership
		return nil
	})
}

func (r *request) deleteOwnership() error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.ownership = ""
		return nil
	})
}
