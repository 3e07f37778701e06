package s3server

import (
	"encoding/xml"
	"net/http"
	"slices"

	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// judge reports whether the bucket's policy allows the access, and whether it denies the access.
func (a *access) judge() (allowed, denied bool) {
	return a.bucket.Policy.Judge(a.subject())
}

// subject returns the input for a policy's decision about this access.
func (a *access) subject() *policy.Request {
	s := subjectOf(a.request, a.action, a.resource())
	s.VersionID = a.id
	s.Prefix = a.prefix
	s.Owner = a.bucket.Account
	s.Region = a.bucket.Region
	s.Header = a.header
	s.Tags = a.tags
	s.ObjectTags = a.objectTags
	return s
}

// subjectOf returns the input for a policy's decision about an action. It assumes that the resource
// belongs to the caller and is not in an existing bucket. For a resource in a bucket, call
// access.subject.
func subjectOf(r *request, action, resource string) *policy.Request {
	return &policy.Request{
		Operation:     r.operation,
		Action:        action,
		Resource:      resource,
		Anonymous:     r.caller.anonymous,
		Account:       r.caller.account,
		Owner:         r.caller.account,
		Region:        r.server.config.Region,
		Header:        r.in.Header,
		Query:         r.query,
		Now:           r.server.now(),
		TLS:           r.in.TLS,
		RemoteAddr:    r.in.RemoteAddr,
		Algorithm:     r.caller.algorithm,
		SignedAt:      r.caller.seal.Timestamp,
		SignedByQuery: r.in.Header.Get("Authorization") == "",
	}
}

// objectTags returns the tags of the existing object, for policies. As on AWS, policies see no tags
// when the object is overwritten or removed.
func (a *access) objectTags() []tagging.Tag {
	if slices.Contains([]string{"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"}, a.action) ||
		a.version() == nil {
		return nil
	}
	return a.version().Object.Properties.Tags
}

func putPolicy(r *request) error {
	document, err := r.readDocument()
	if err != nil {
		return err
	}
	return r.setting(http.StatusNoContent, func(b *state.Bucket) error {
		p, err := policy.Parse(document, b.Name)
		if err != nil {
			return err
		}
		if p.Public() && b.Block != nil && b.Block.BlockPublicPolicy {
			return s3error.New("AccessDenied").WithMessage(
				"User is not authorized to perform: s3:PutBucketPolicy because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
			)
		}
		b.Policy = p
		return nil
	})
}

func getPolicy(r *request) error {
	b, err := r.bucket()
	if err != nil {
		return err
	}
	if b.Policy == nil {
		return s3error.New("NoSuchBucketPolicy", "BucketName", b.Name)
	}
	r.sendDocument("application/json", b.Policy.Text())
	return nil
}

// policyStatus is the XML response to the question whether the policy makes the bucket public.
type policyStatus struct{ IsPublic bool }

func policyStatusOf(b *state.Bucket) *policyStatus {
	if b.Policy == nil {
		return nil
	}
	return &policyStatus{b.Policy.Public()}
}

type ownershipControls struct {
	XMLName xml.Name `xml:"OwnershipControls"`
	Rule    []struct{ ObjectOwnership string }
}

func getOwnership(b *state.Bucket) (any, error) {
	if b.Ownership == "" {
		return nil, s3error.New("OwnershipControlsNotFoundError", "BucketName", b.Name)
	}
	return ownershipControls{Rule: []struct{ ObjectOwnership string }{{b.Ownership}}}, nil
}

func putOwnership(r *request) error {
	var asked ownershipControls
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if len(asked.Rule) != 1 || !slices.Contains(state.Ownerships, asked.Rule[0].ObjectOwnership) {
		return s3error.New("MalformedXML")
	}
	return r.setting(http.StatusOK, func(b *state.Bucket) error {
		if asked.Rule[0].ObjectOwnership == state.OwnerEnforced && b.ACL.GrantsOthers(b.Account) {
			return s3error.New("InvalidBucketAclWithObjectOwnership", "BucketName", b.Name)
		}
		b.Ownership = asked.Rule[0].ObjectOwnership
		return nil
	})
}
