package s3server

import (
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// judge asks the policy of the bucket whether it allows or denies the access.
func (a *access) judge() (allowed, denied bool) {
	return a.bucket.policy.Judge(&policy.Request{
		Operation: a.request.operation, Action: a.action, Resource: a.resource(), VersionID: a.id, Prefix: a.prefix,
		Anonymous: a.caller.anonymous, Account: a.caller.account, Owner: a.bucket.account, Region: a.bucket.region,
		Header: a.header, Query: a.request.query, Tags: a.tags, ObjectTags: a.objectTags,
		Now: a.request.server.now(), TLS: a.request.TLS, RemoteAddr: a.request.RemoteAddr,
		Algorithm: a.caller.algorithm, SignedAt: a.caller.seal.Timestamp, SignedByQuery: a.request.Header.Get("Authorization") == "",
	})
}

// objectTags returns the tags of the object, if there is one.
func (a *access) objectTags() ([]tagging.Tag, bool) {
	v := a.version()
	if v == nil {
		return nil, false
	}
	return v.object.properties.tags, true
}

func putPolicy(r *request) error {
	document, err := r.readDocument()
	if err != nil {
		return err
	}
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		p, err := policy.Parse(document, b.name, r.server.config.Strict)
		if err != nil {
			return err
		}
		if p.Public() && b.block != nil && b.block.BlockPublicPolicy {
			return s3error.New("AccessDenied").WithMessage("User is not authorized to perform: s3:PutBucketPolicy because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
		}
		b.policy = p
		return nil
	})
}

func getPolicy(r *request) error {
	var document []byte
	err := r.view(func(b *bucket) error {
		if b.policy == nil {
			return s3error.New("NoSuchBucketPolicy", "BucketName", b.name)
		}
		document = b.policy.Text()
		return nil
	})
	if err != nil {
		return err
	}
	r.w.Header().Set("Content-Type", "application/json")
	r.w.WriteHeader(http.StatusOK)
	r.send(document)
	return nil
}

func deletePolicy(r *request) error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.policy = nil
		return nil
	})
}

// policyStatus says whether the policy makes the bucket public. Unless the server is
// strict, a list of the bucket counts, too, and a bucket without a policy is no error.
type policyStatus struct {
	XMLName  xml.Name `xml:"PolicyStatus"`
	Xmlns    string   `xml:"xmlns,attr"`
	IsPublic bool
}

func getPolicyStatus(r *request) error {
	response := policyStatus{Xmlns: xmldoc.Namespace}
	err := r.view(func(b *bucket) error {
		if b.policy == nil && r.server.config.Strict {
			return s3error.New("NoSuchBucketPolicy", "BucketName", b.name)
		}
		response.IsPublic = b.policy.Public() || !r.server.config.Strict && b.acl.public()
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}
