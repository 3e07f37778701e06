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
	r.server.mu.RLock()
	defer r.server.mu.RUnlock()
	if b, err := r.server.find(r.bucket); err == nil && b.open(r.operation, r.key, r.Header) {
		return nil
	} else if err != nil && r.bucket != "" {
		return err
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
	"DeleteObject":  "s3:DeleteObject",
}

// headerActions maps headers of PutObject to the actions that they need beside s3:PutObject.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
var headerActions = map[string]string{
	"X-Amz-Acl":                    "s3:PutObjectAcl",
	"X-Amz-Tagging":                "s3:PutObjectTagging",
	"X-Amz-Object-Lock-Mode":       "s3:PutObjectRetention",
	"X-Amz-Object-Lock-Legal-Hold": "s3:PutObjectLegalHold",
}

// open reports whether everyone may make this request.
func (b *bucket) open(operation, key string, header http.Header) bool {
	action := publicActions[operation]
	if action == "" {
		return false
	}
	given := func(action, resource string) bool {
		restricted := b.block != nil && b.block.RestrictPublicBuckets
		return b.policy != nil && !restricted && b.policy.allows(action, resource)
	}
	if action == "s3:PutObject" {
		for name, beside := range headerActions {
			if header.Get(name) != "" && !given(beside, b.resource(key)) {
				return false
			}
		}
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
