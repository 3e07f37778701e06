package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
)

var s3Questions = []question{
	{
		id:       "s3-part-copy-condition",
		provider: "s3",
		account:  "R2, and other servers",
		text:     "Does `UploadPartCopy` enforce `x-amz-copy-source-if-match`?",
		does:     "R2 gets none, and its source is compared before the object appears",
		cost:     "5 requests",
		answers:  []string{"enforced", "ignored", "refused"},
		probe:    probePartCopyCondition,
	}, {
		id:       "s3-customer-keys",
		provider: "s3",
		account:  "Wasabi, and other servers, over TLS",
		text:     "Does the server encrypt with a key that requests have (SSE-C)?",
		does:     "`WithCustomerKey` is Unsupported unless a profile declares it",
		cost:     "3 requests",
		answers:  []string{"enforced", "ignored", "refused"},
		probe:    probeCustomerKeys,
	}, {
		id:       "s3-signed-forms",
		provider: "s3",
		account:  "Spaces, and other servers",
		text:     "Does the server enforce the conditions of a signed form (a POST policy)?",
		does:     "`SignedUploadForm` is Unsupported unless a profile declares it",
		cost:     "2 requests",
		answers:  []string{"enforced", "ignored", "refused"},
		probe:    probeSignedForms,
	}, {
		id:       "s3-versions-at-once",
		provider: "s3",
		account:  "standard",
		text:     "Does a bucket keep every version in the minutes after versioning was first enabled?",
		does:     "writes are not held back; Amazon advises to wait for 15 minutes",
		cost:     "30 requests",
		answers:  []string{"all kept", "some lost"},
		probe:    probeVersionsAtOnce,
	}, {
		id:       "s3-settings-at-once",
		provider: "s3",
		account:  "standard",
		text:     "Does a new bucket take its settings at once?",
		does:     "each setting is repeated, and a bucket that was refused one is deleted",
		cost:     "5 requests",
		answers:  []string{"yes", "no"},
		probe:    probeSettingsAtOnce,
	}, {
		id:       "s3-public-bucket",
		provider: "s3",
		account:  "standard, with an account's block, Spaces",
		text:     "Can everybody read a bucket that is public, at `PublicURL`?",
		does:     "`WithPublicAccess` lifts the bucket's block, not the account's",
		cost:     "15 requests",
		answers: []string{
			"yes", "no, and CreateBucket says so", "no, and BucketInfo says that it is public",
		},
		probe: probePublicBucket,
	}, {
		id:       "s3-head-with-kms",
		provider: "s3",
		account:  "with KMS (-kms KEY), with credentials that may not decrypt",
		text:     "Is `HeadObject` with a checksum refused without `kms:Decrypt`, and is it 403?",
		does:     "after a 403, one more request asks without it",
		cost:     "4 requests, and 2 of KMS",
		answers:  []string{"refused", "not refused"},
		probe:    probeHeadWithKMS,
	}, {
		id:       "s3-removed-block",
		provider: "s3",
		account:  "standard",
		text:     "For how long does a removed block of public access refuse a public policy?",
		does:     "the policy is repeated for 30 seconds",
		cost:     "15 requests",
		answers:  []string{"at most 5 seconds", "longer", "the account blocks it"},
		probe:    probeRemovedBlock,
	}, {
		id:       "s3-policy-status",
		provider: "s3",
		account:  "with an account's block",
		text:     "Does `GetBucketPolicyStatus` show the account's block?",
		does:     "it is not asked, so that `BucketInfo.Public` may be true under such a block",
		cost:     "15 requests",
		answers:  []string{"yes", "no"},
		probe:    probePolicyStatus,
	}, {
		id:       "s3-form-dollar",
		provider: "s3",
		account:  "standard, Spaces",
		text:     "Does the server read \\u0024 in the policy of a form as a dollar sign?",
		does:     "a key with a dollar sign is sent so",
		cost:     "3 requests",
		answers:  []string{"yes", "no"},
		probe:    probeFormDollar,
	}, {
		id:       "s3-conflict",
		provider: "s3",
		account:  "standard",
		text:     "After 409 ConditionalRequestConflict, is the upload in parts still there?",
		does:     "`Complete` is not repeated: the caller begins a new upload",
		cost:     "60 requests",
		answers:  []string{"yes", "no"},
		probe:    probeConflict,
	}, {
		id:       "s3-bare-503",
		provider: "s3",
		account:  "any",
		text:     "Is a 503 without a body, to a `HEAD`, always throttling?",
		does:     "it is `RateLimited`",
		cost:     "nothing: it cannot be provoked for so little",
		answers:  []string{"yes", "no"},
		probe: func(context.Context, *probe) (string, error) {
			return "", notApplicable("it cannot be provoked for so little")
		},
	}, {
		id:       "s3-unchecked-parts",
		provider: "s3",
		account:  "with lock",
		locks:    true,
		text:     "Does a bucket with a default retention take parts without a checksum?",
		does:     "`WithUncheckedParts` sends them",
		cost:     "10 requests; an object is locked for a day in the mode governance, and removed by its bypass",
		answers:  []string{"yes", "no"},
		probe:    probeUncheckedParts,
	},
}

// statusOf returns the status of a request of the SDK that failed with err, or 0 if it has none.
func statusOf(err error) int {
	var statusErr interface{ HTTPStatusCode() int }
	if errors.As(err, &statusErr) {
		return statusErr.HTTPStatusCode()
	}
	return 0
}

// probePartCopyCondition tests whether the server enforces the condition of a part's copy, by copying on
// condition of an ETag that the source does not have.
func probePartCopyCondition(ctx context.Context, p *probe) (string, error) {
	b, client, err := bucketWithClient[*awss3.Client](ctx, p)
	if err != nil {
		return "", err
	}
	if err := put(ctx, b, "source"); err != nil {
		return "", err
	}

	key := aws.String("copy")
	upload, err := client.CreateMultipartUpload(ctx, &awss3.CreateMultipartUploadInput{
		Bucket: aws.String(p.name()),
		Key:    key,
	})
	if err != nil {
		return "", err
	}
	p.cleanups = append(p.cleanups, func(ctx context.Context) error {
		_, err := client.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{
			Bucket:   aws.String(p.name()),
			Key:      key,
			UploadId: upload.UploadId,
		})
		return err
	})

	_, err = client.UploadPartCopy(ctx, &awss3.UploadPartCopyInput{
		Bucket:     aws.String(p.name()),
		Key:        key,
		UploadId:   upload.UploadId,
		PartNumber: aws.Int32(1),
		CopySource: aws.String(p.name() + "/source"),
		// No object has this ETag.
		CopySourceIfMatch: aws.String(`"00000000000000000000000000000000"`),
	})
	if err == nil {
		return "ignored", nil
	}

	status := statusOf(err)
	if status == http.StatusPreconditionFailed {
		return "enforced", nil
	}
	if status > 0 {
		p.setDetail("status %d", status)
		return "refused", nil
	}
	return "", err
}

// probeCustomerKeys tests whether the server refuses to tell the attributes of an object that was stored
// with a key of the customer, if a request does not have that key.
func probeCustomerKeys(ctx context.Context, p *probe) (string, error) {
	_, client, err := bucketWithClient[*awss3.Client](ctx, p)
	if err != nil {
		return "", err
	}
	if endpoint := client.Options().BaseEndpoint; endpoint != nil && strings.HasPrefix(*endpoint, "http://") {
		return "", notApplicable("a customer's key must not be sent without TLS")
	}

	const keySizeOfAES256 = 32
	key := bytes.Repeat([]byte{7}, keySizeOfAES256)
	sum := md5.Sum(key)
	_, err = client.PutObject(ctx, &awss3.PutObjectInput{
		Bucket:               aws.String(p.name()),
		Key:                  aws.String("a"),
		Body:                 strings.NewReader("text"),
		SSECustomerAlgorithm: aws.String("AES256"),
		SSECustomerKey:       aws.String(base64.StdEncoding.EncodeToString(key)),
		SSECustomerKeyMD5:    aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	})

	// The server does not accept such keys.
	if status := statusOf(err); status > 0 {
		p.setDetail("status %d", status)
		return "refused", nil
	}
	if err != nil {
		return "", err
	}

	// This request lacks the key with which the object was stored.
	_, err = client.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: aws.String(p.name()), Key: aws.String("a")})
	if err == nil {
		return "ignored", nil
	}
	if statusOf(err) == http.StatusBadRequest {
		return "enforced", nil
	}
	return "", err
}

// probeHeadWithKMS tests whether the checksum of an object is refused to credentials that may not use its
// key.
func probeHeadWithKMS(ctx context.Context, p *probe) (string, error) {
	if p.c.kms == "" {
		return "", notApplicable("-kms names no key")
	}

	b, client, err := bucketWithClient[*awss3.Client](ctx, p)
	if err != nil {
		return "", err
	}
	if err := put(ctx, b, "a", s3.WithKMSKey(p.c.kms)); err != nil {
		return "", err
	}

	// Only credentials that must not decrypt can answer the question.
	_, _, err = storage.ReadAll(ctx, b, "a")
	if err == nil {
		return "", notApplicable("the credentials may decrypt")
	}
	if storage.CodeOf(err) != storage.PermissionDenied {
		return "", err
	}

	_, err = client.HeadObject(ctx, &awss3.HeadObjectInput{
		Bucket:       aws.String(p.name()),
		Key:          aws.String("a"),
		ChecksumMode: types.ChecksumModeEnabled,
	})
	if err == nil {
		return "not refused", nil
	}
	// Any status is an answer of the server. Without one, the request itself has failed.
	if status := statusOf(err); status > 0 {
		p.setDetail("status %d", status)
		return "refused", nil
	}
	return "", err
}

// probeConflict tests whether a multipart upload still exists after its completion failed with a conflict. To cause one, it
// completes uploads on the condition that their keys are new, while it writes to these keys.
func probeConflict(ctx context.Context, p *probe) (string, error) {
	b, client, err := bucketWithClient[*awss3.Client](ctx, p)
	if err != nil {
		return "", err
	}

	const attempts = 10
	for attempt := range attempts {
		upload, part, err := beginOnePart(ctx, client, p.name(), fmt.Sprint("k", attempt))
		if err != nil {
			return "", err
		}

		// Another write of the key may come before the upload is complete.
		var otherWrite sync.WaitGroup
		otherWrite.Go(func() { _ = put(ctx, b, *upload.Key) })
		err = completeIfAbsent(ctx, client, upload, part)
		otherWrite.Wait()
		if statusOf(err) != http.StatusConflict {
			continue
		}

		// Only an upload that still exists lists its parts.
		_, err = client.ListParts(ctx, &awss3.ListPartsInput{
			Bucket:   upload.Bucket,
			Key:      upload.Key,
			UploadId: upload.UploadId,
		})
		if err == nil {
			return "yes", nil
		}
		if statusOf(err) == http.StatusNotFound {
			return "no", nil
		}
		return "", err
	}
	return "", notApplicable("no conflict came up in 10 attempts")
}

// completeIfAbsent completes an upload with one part, on the condition that its key has no object. It does
// not retry, because a retry would hide a conflict.
func completeIfAbsent(
	ctx context.Context, client *awss3.Client, upload *awss3.CreateMultipartUploadOutput, part *awss3.UploadPartOutput,
) error {
	_, err := client.CompleteMultipartUpload(ctx, &awss3.CompleteMultipartUploadInput{
		Bucket:      upload.Bucket,
		Key:         upload.Key,
		UploadId:    upload.UploadId,
		IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{
			Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}},
		},
	}, func(o *awss3.Options) {
		o.Retryer = aws.NopRetryer{}
	})
	return err
}

// beginOnePart begins a multipart upload and uploads its only part, but does not complete it.
func beginOnePart(
	ctx context.Context, client *awss3.Client, bucket, key string,
) (*awss3.CreateMultipartUploadOutput, *awss3.UploadPartOutput, error) {
	upload, err := client.CreateMultipartUpload(ctx, &awss3.CreateMultipartUploadInput{
		Bucket: aws.String(bucket),
		Key:    aws.String(key),
	})
	if err != nil {
		return nil, nil, err
	}
	// A response may lack the names.
	upload.Bucket = aws.String(bucket)
	upload.Key = aws.String(key)

	part, err := client.UploadPart(ctx, &awss3.UploadPartInput{
		Bucket:     upload.Bucket,
		Key:        upload.Key,
		UploadId:   upload.UploadId,
		PartNumber: aws.Int32(1),
		Body:       strings.NewReader("text"),
	})
	if err != nil {
		return nil, nil, err
	}
	return upload, part, nil
}

// probeUncheckedParts tests whether a bucket with a default retention accepts a part without a checksum.
func probeUncheckedParts(ctx context.Context, p *probe) (string, error) {
	retention := storage.WithDefaultRetention(storage.Governance, 1)
	if _, err := p.newBucket(ctx, storage.WithObjectLock(), retention); err != nil {
		return "", err
	}
	b, err := p.open(p.name(), storage.WithVersioning(true))
	if err != nil {
		return "", err
	}
	p.cleanups = append(p.cleanups, func(ctx context.Context) error { return removeGoverned(ctx, p.c, p.name()) })

	// The server may refuse the part, or only the completion.
	upload, err := storage.BeginUpload(ctx, b, "a", storage.WithUncheckedParts())
	if err != nil {
		return "", err
	}
	part, err := upload.PutPart(ctx, 1, strings.NewReader("text"))
	if err != nil {
		return storeRefusal(p, err)
	}
	if _, err := upload.Complete(ctx, storage.WithParts(*part)); err != nil {
		return storeRefusal(p, err)
	}
	return "yes", nil
}

// storeRefusal returns the answer "no", with the code and status of err as its detail, if err is an error
// of the library. It returns any other err as an error.
func storeRefusal(p *probe, err error) (string, error) {
	storageErr, ok := err.(*storage.Error)
	if !ok {
		return "", err
	}
	p.setDetail("%s, status %d", storageErr.Code, storageErr.Status)
	return "no", nil
}

// removeGoverned removes all versions of a bucket, including those that a retention in governance mode
// locks.
func removeGoverned(ctx context.Context, c *certification, name string) error {
	b, err := c.service.Bucket(name, storage.WithVersioning(true))
	if err != nil {
		return err
	}
	defer func() { _ = storage.Close(b) }()
	return removeGovernedVersions(ctx, b, "")
}

// removeGovernedVersions removes all versions with a prefix, including those that a retention in
// governance mode locks.
func removeGovernedVersions(ctx context.Context, b storage.Bucket, prefix string) error {
	for v, err := range storage.Versions(ctx, b, storage.WithPrefix(prefix)) {
		if err != nil {
			return err
		}
		if err := b.Remove(ctx, v.Key, storage.WithVersion(v.Version), storage.WithGovernanceBypass()); err != nil {
			return err
		}
	}
	return nil
}
