package access

import (
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// evaluatePolicy reports whether the bucket's policy allows the access, and whether it denies the access.
func (a *Access) evaluatePolicy() (allowed, denied bool) {
	return a.bucket.Policy.Evaluate(a.subject())
}

// subject returns the input for a policy's decision about this access.
func (a *Access) subject() *policy.Request {
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

// subjectOf returns the input for a policy's decision about an action on a resource of the caller outside of existing
// buckets. For a resource in a bucket, call Access.subject.
func subjectOf(r *request.Request, action, resource string) *policy.Request {
	return &policy.Request{
		Operation:     r.Operation,
		Action:        action,
		Resource:      resource,
		Anonymous:     r.Caller.Anonymous,
		Account:       r.Caller.Account,
		Owner:         r.Caller.Account,
		Region:        r.Server.Region,
		Header:        r.HTTP.Header,
		Query:         r.Query,
		Now:           r.Server.Now(),
		TLS:           r.HTTP.TLS,
		RemoteAddr:    r.HTTP.RemoteAddr,
		Algorithm:     r.Caller.Algorithm,
		SignedAt:      r.Caller.Seal.Timestamp,
		SignedByQuery: r.HTTP.Header.Get("Authorization") == "",
	}
}

// objectTags returns the tags of the existing object that policies see. As on AWS, they see no tags if the action
// overwrites or removes the object.
func (a *Access) objectTags() []tagging.Tag {
	switch a.action {
	case "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion":
		return nil
	}
	v := a.version()
	if v == nil {
		return nil
	}
	return v.Object.Properties.Tags
}

// allowedBySession reports whether the session policy of the caller, if there is one, allows the access.
func (a *Access) allowedBySession() bool {
	if a.caller.Session == nil {
		return true
	}
	allowed, denied := a.caller.Session.Evaluate(a.subject())
	if !allowed || denied {
		return false
	}

	needsObject := a.key != "" && policy.OnObjects(a.action) && a.needsObject()
	if !needsObject || a.version() != nil {
		return true
	}
	// The object is missing. Only a session with the permission to list the bucket may learn this.
	return a.listing().allowedBySession()
}

// isInSession reports whether the caller's session policy, if any, allows an action that is not on an existing bucket,
// such as s3:CreateBucket.
func isInSession(r *request.Request, action, resource string) bool {
	if r.Caller.Session == nil {
		return true
	}
	allowed, denied := r.Caller.Session.Evaluate(subjectOf(r, action, resource))
	return allowed && !denied
}
