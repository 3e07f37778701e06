package s3server

import (
	"encoding/xml"
	"net/http"
	"strings"
)

// authorize allows the bucket's owner everything, and everyone else what policies and
// access control lists allow everyone. A read-only key may only read.
func (r *request) authorize() error {
	if r.caller.readOnly && !strings.HasPrefix(r.operation, "Get") && !strings.HasPrefix(r.operation, "List") && !strings.HasPrefix(r.operation, "Head") {
		return newError("AccessDenied")
	}
	if r.bucket == "" || r.operation == "CreateBucket" {
		if r.caller.anonymous {
			return newError("AccessDenied")
		}
		return nil
	}
	r.server.mu.RLock()
	defer r.server.mu.RUnlock()
	b, err := r.server.find(r.bucket)
	switch {
	case err != nil && r.caller.anonymous:
		return err
	case err != nil, b.account == r.caller.account, b.open(r.operation, r.key):
		return nil // the operation reports a missing bucket
	}
	return newError("AccessDenied")
}

// publicActions maps the operations that a policy can allow everyone to the policy's
// actions.
var publicActions = map[string]string{
	"GetObject":     "s3:GetObject",
	"HeadObject":    "s3:GetObject",
	"ListObjectsV2": "s3:ListBucket",
	"HeadBucket":    "s3:ListBucket",
	"PutObject":     "s3:PutObject",
	"PostObject":    "s3:PutObject",
	"DeleteObject":  "s3:DeleteObject",
}

// open reports whether everyone may do this.
func (b *bucket) open(operation, key string) bool {
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
	if v := b.current(key); (v == nil || v.marker) && !given("s3:ListBucket", b.resource("")) {
		return false
	}
	return given(action, b.resource(key)) || b.aclOpen(key)
}

// aclOpen reports whether an access control list lets everyone read.
func (b *bucket) aclOpen(key string) bool {
	if b.ownership == ownerEnforced || b.block != nil && b.block.IgnorePublicAcls {
		return false
	}
	v := b.current(key)
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
	case ownerEnforced, ownerPreferred, objectWriter:
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
