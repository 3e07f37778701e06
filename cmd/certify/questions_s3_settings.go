package main

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
)

// probeVersionsAtOnce tests whether a bucket keeps every version directly after versioning was enabled.
func probeVersionsAtOnce(ctx context.Context, p *probe) (string, error) {
	if _, err := p.newBucket(ctx, storage.WithVersioning(true)); err != nil {
		return "", err
	}
	// Only a bucket that is opened with this option shows its versions.
	b, err := p.open(p.name(), storage.WithVersioning(true))
	if err != nil {
		return "", err
	}

	keys := []string{"a", "b", "c", "d", "e"}
	const versionsOfKey = 3
	for range versionsOfKey {
		for _, key := range keys {
			if err := put(ctx, b, key); err != nil {
				return "", err
			}
		}
	}
	written := versionsOfKey * len(keys)

	count := 0
	for _, err := range storage.Versions(ctx, b) {
		if err != nil {
			return "", err
		}
		count++
	}

	p.setDetail("%d of %d", count, written)
	if count < written {
		return "some lost", nil
	}
	return "all kept", nil
}

// probeSettingsAtOnce tests whether a bucket takes its settings directly after it was created.
func probeSettingsAtOnce(ctx context.Context, p *probe) (string, error) {
	rule := storage.CORSRule{Origins: []string{"https://example.com"}, Methods: []string{http.MethodGet}}
	if _, err := p.newBucket(ctx, storage.WithVersioning(true), storage.WithCORS(rule)); err != nil {
		return storeRefusal(p, err)
	}
	return "yes", nil
}

// probePublicBucket tests whether everybody can read an object of a public bucket at its PublicURL. If not, the
// answer says whether the library reports it.
func probePublicBucket(ctx context.Context, p *probe) (string, error) {
	_, err := p.newBucket(ctx, storage.WithPublicAccess(true))
	if storage.CodeOf(err) == storage.PermissionDenied {
		return "no, and CreateBucket says so", nil
	}
	if err != nil {
		return "", err
	}

	// CreateBucket has accepted the option, so the bucket seems to be public.
	b, err := p.open(p.name(), storage.WithPublicAccess(true))
	if err != nil {
		return "", err
	}
	status, err := p.publicStatus(ctx, b)
	if err != nil {
		return "", err
	}
	p.setDetail("status %d", status)
	if status == http.StatusOK {
		return "yes", nil
	}
	return "no, and BucketInfo says that it is public", nil
}

// publicStatus stores an object, and returns the status of a request for its PublicURL without credentials.
func (p *probe) publicStatus(ctx context.Context, b storage.Bucket) (int, error) {
	if err := put(ctx, b, "a"); err != nil {
		return 0, err
	}

	address, err := b.PublicURL("a")
	if err != nil {
		return 0, err
	}
	status, _, err := p.get(ctx, http.MethodGet, address, nil, "")
	return status, err
}

// probeRemovedBlock tests for how long a bucket still refuses a public policy after its block of public
// access was removed. It creates a public bucket, for which the library repeats the policy until it is
// accepted.
func probeRemovedBlock(ctx context.Context, p *probe) (string, error) {
	const limit = 5 * time.Second
	start := time.Now()
	_, err := p.newBucket(ctx, storage.WithPublicAccess(true))
	elapsed := time.Since(start)
	p.setDetail("%.1f s", elapsed.Seconds())

	if storage.CodeOf(err) == storage.PermissionDenied {
		return "the account blocks it", nil
	}
	if err != nil {
		return "", err
	}
	if elapsed > limit {
		return "longer", nil
	}
	return "at most 5 seconds", nil
}

// probePolicyStatus tests whether GetBucketPolicyStatus shows that the account blocks public access. The
// answer is "yes" if it does not call a blocked public bucket public.
func probePolicyStatus(ctx context.Context, p *probe) (string, error) {
	_, err := p.newBucket(ctx, storage.WithPublicAccess(true))
	if storage.CodeOf(err) == storage.PermissionDenied {
		return "", notApplicable("the account refuses a public policy")
	}
	if err != nil {
		return "", err
	}
	b, err := p.open(p.name(), storage.WithPublicAccess(true))
	if err != nil {
		return "", err
	}
	client, err := clientOf[*awss3.Client](b)
	if err != nil {
		return "", err
	}

	status, err := p.publicStatus(ctx, b)
	if err != nil {
		return "", err
	}
	if status == http.StatusOK {
		return "", notApplicable("the account has no block: the object can be read")
	}

	policy, err := client.GetBucketPolicyStatus(ctx, &awss3.GetBucketPolicyStatusInput{Bucket: aws.String(p.name())})
	if err != nil {
		return "", err
	}
	saysPublic := policy.PolicyStatus != nil && aws.ToBool(policy.PolicyStatus.IsPublic)
	if saysPublic {
		return "no", nil
	}
	return "yes", nil
}
