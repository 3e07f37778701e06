package operations

import (
	"encoding/xml"
	"net/http"
	"slices"

	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// putPolicy replaces the policy of the bucket. It fails if the policy is public and the bucket blocks such
// policies.
func putPolicy(r *request.Request) error {
	document, err := r.ReadDocument()
	if err != nil {
		return err
	}
	return changeSettings(r, http.StatusNoContent, func(b *state.Bucket) error {
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

// getPolicy responds with the policy of the bucket, as the client has sent it.
func getPolicy(r *request.Request) error {
	b, err := r.Bucket()
	if err != nil {
		return err
	}
	if b.Policy == nil {
		return s3error.New("NoSuchBucketPolicy", "BucketName", b.Name)
	}
	r.SendDocument("application/json", b.Policy.Text())
	return nil
}

// policyStatus is the XML response to the question whether the policy makes the bucket public.
type policyStatus struct{ IsPublic bool }

// policyStatusOf returns whether the bucket's policy is public, or nil if there is no policy.
func policyStatusOf(b *state.Bucket) *policyStatus {
	if b.Policy == nil {
		return nil
	}
	return &policyStatus{IsPublic: b.Policy.Public()}
}

type ownershipControls struct {
	XMLName xml.Name `xml:"OwnershipControls"`
	Rule    []struct{ ObjectOwnership string }
}

// getOwnership returns the ownership controls of the bucket, or fails if it has none.
func getOwnership(b *state.Bucket) (any, error) {
	if b.Ownership == "" {
		return nil, s3error.New("OwnershipControlsNotFoundError", "BucketName", b.Name)
	}
	return ownershipControls{Rule: []struct{ ObjectOwnership string }{{b.Ownership}}}, nil
}

// putOwnership sets who owns new objects of the bucket. It fails if that would disable ACLs while the bucket's own ACL
// grants permissions to others.
func putOwnership(r *request.Request) error {
	var doc ownershipControls
	if err := r.ReadXML(&doc); err != nil {
		return err
	}
	if len(doc.Rule) != 1 || !slices.Contains(state.Ownerships, doc.Rule[0].ObjectOwnership) {
		return s3error.New("MalformedXML")
	}
	return changeSettings(r, http.StatusOK, func(b *state.Bucket) error {
		if doc.Rule[0].ObjectOwnership == state.OwnerEnforced && b.ACL.GrantsOthers(b.Account) {
			return s3error.New("InvalidBucketAclWithObjectOwnership", "BucketName", b.Name)
		}
		b.Ownership = doc.Rule[0].ObjectOwnership
		return nil
	})
}
