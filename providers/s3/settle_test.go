package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// denied returns the refusal of a policy with S3's message.
func denied(message string) string {
	return fmt.Sprintf("403 <Error><Code>AccessDenied</Code><Message>%s</Message></Error>", message)
}

// repeated returns a list with a response n times.
func repeated(n int, reply string) []string {
	return slices.Repeat([]string{reply}, n)
}

// count returns the number of requests with a name.
func (s *scriptedTransport) count(name string) int {
	n := 0
	for _, request := range s.requests {
		if request == name {
			n++
		}
	}
	return n
}

// CreateBucket repeats the changes of a new bucket, which S3 may refuse for seconds to minutes. If it gives up,
// it deletes the bucket only if the refusal is final: hashicorp/terraform-provider-aws#7628,
// #7803, #49960 (OperationAborted and NoSuchBucket), env0/templates#258 (public policies).
func TestCreateBucketSettings(t *testing.T) {
	aborted := errorResponse(409, "OperationAborted")
	blocked := `User: arn:aws:iam::111122223333:user/a is not authorized to perform: s3:PutBucketPolicy ` +
		`on resource: "arn:aws:s3:::photos" because public policies are prevented by the ` +
		`BlockPublicPolicy setting in S3 Block Public Access.`
	unprivileged := "User: arn:aws:iam::111122223333:user/a is not authorized to perform: " +
		"s3:PutBucketPolicy on resource: arn:aws:s3:::photos because no identity-based policy allows " +
		"the s3:PutBucketPolicy action"
	versions := storage.WithVersioning(true)
	public := storage.WithPublicAccess(true)
	const forever = 1000 // more responses than CreateBucket waits for

	tests := map[string]struct {
		option        storage.BucketOption
		first         map[string][]string // the first responses to a request, before a success
		wantCode      storage.Code
		wantHint      string
		minDuration   time.Duration // of CreateBucket
		maxDuration   time.Duration
		wantDeletions int // of the new bucket
	}{
		"no refusal": {option: versions},
		"another change is under way": {
			option:      versions,
			first:       map[string][]string{"PUT /?versioning": {aborted, aborted, aborted}},
			minDuration: 7 * time.Second,
			maxDuration: 7 * time.Second,
		},
		"the bucket is not known everywhere": {
			option:      versions,
			first:       map[string][]string{"PUT /?versioning": {errorResponse(404, "NoSuchBucket")}},
			minDuration: time.Second,
			maxDuration: time.Second,
		},
		"a server error": {
			option:      versions,
			first:       map[string][]string{"PUT /?versioning": {errorResponse(500, "InternalError")}},
			minDuration: time.Second,
			maxDuration: time.Second,
		},
		"lifecycle rules": {
			option:      storage.WithLifecycle(storage.LifecycleRule{ID: "a", ExpireAfterDays: 1}),
			first:       map[string][]string{"PUT /?lifecycle": {aborted}},
			minDuration: time.Second,
			maxDuration: time.Second,
		},
		"another change that never ends": {
			option:      versions,
			first:       map[string][]string{"PUT /?versioning": repeated(forever, aborted)},
			wantCode:    storage.Unavailable,
			wantHint:    "call UpdateBucket",
			minDuration: 100 * time.Second,
			maxDuration: 3 * time.Minute,
		},
		"another change for half a minute": {
			option:      versions,
			first:       map[string][]string{"PUT /?versioning": repeated(8, aborted)},
			minDuration: 25 * time.Second,
			maxDuration: 35 * time.Second,
		},
		"a final refusal, after a temporary one": {
			option:        versions,
			first:         map[string][]string{"PUT /?versioning": {aborted, errorResponse(403, "AccessDenied")}},
			wantCode:      storage.PermissionDenied,
			minDuration:   time.Second,
			maxDuration:   time.Second,
			wantDeletions: 1,
		},
		"the block of public access still holds": {
			option:      public,
			first:       map[string][]string{"PUT /?policy": {denied("Access Denied"), denied(blocked)}},
			minDuration: 3 * time.Second,
			maxDuration: 3 * time.Second,
		},
		"the account's block of public access": {
			option:        public,
			first:         map[string][]string{"PUT /?policy": repeated(forever, denied(blocked))},
			wantCode:      storage.PermissionDenied,
			wantHint:      "Block Public Access settings for this account",
			minDuration:   20 * time.Second,
			maxDuration:   30 * time.Second,
			wantDeletions: 1,
		},
		"a policy that the credentials may not set": {
			option:        public,
			first:         map[string][]string{"PUT /?policy": {denied(unprivileged)}},
			wantCode:      storage.PermissionDenied,
			wantHint:      "may not do this",
			wantDeletions: 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service, transport := newScriptedService(t, Config{}, newBucketReplies(nil))
				transport.first = tt.first

				start := time.Now()
				_, err := engine.NewService(service).CreateBucket(t.Context(), "photos", tt.option)
				elapsed := time.Since(start)
				require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
				if tt.wantHint != "" {
					require.Contains(t, err.Error(), tt.wantHint)
				}
				require.GreaterOrEqual(t, elapsed, tt.minDuration)
				require.LessOrEqual(t, elapsed, tt.maxDuration)

				require.Equal(t, 1, transport.count("PUT /"), "%v", transport.requests)
				require.Equal(t, tt.wantDeletions, transport.count("DELETE /"), "%v", transport.requests)
			})
		})
	}
}

// A second CreateBucket with the same request succeeds. It applies settings that were delayed for
// too long in the first call. It fails with BucketExists if it asks for another region or for
// object lock.
func TestCreateBucketContinued(t *testing.T) {
	tests := map[string]struct {
		option storage.BucketOption // of the second call
		want   storage.Code
	}{
		"the same request":  {option: storage.WithVersioning(true)},
		"with object lock":  {option: storage.WithObjectLock(), want: storage.BucketExists},
		"in another region": {option: storage.WithRegion("eu-west-3"), want: storage.BucketExists},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service, transport := newScriptedService(t, Config{}, newBucketReplies(nil))

				const delays = 100 // more than CreateBucket waits for
				transport.first = map[string][]string{
					"PUT /?versioning": repeated(delays, errorResponse(409, "OperationAborted")),
				}

				_, err := engine.NewService(service).CreateBucket(t.Context(), "photos",
					storage.WithVersioning(true))
				require.ErrorIs(t, err, storage.Unavailable)

				// The bucket exists now, and S3 is no longer changing it.
				transport.first = map[string][]string{"HEAD /": {"200 "}}
				_, err = engine.NewService(service).CreateBucket(t.Context(), "photos", tt.option)
				require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			})
		})
	}
}

// If CreateBucket gets an InternalError, and the bucket then exists, it fails with BucketExists and
// OutcomeUnknown. S3 does not tell whether this call or another process has created it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorBestPractices.html.
func TestCreateBucketInternalError(t *testing.T) {
	broken := errorResponse(500, "InternalError")
	tests := map[string]struct {
		heads            []string     // responses to HeadBucket, the first of which is before the creation
		creates          []string     // responses to CreateBucket, and then a success
		want             storage.Code // "" if the call succeeds
		isOutcomeUnknown bool
	}{
		"the bucket is there": {
			heads:            []string{"404 ", "200 "},
			creates:          []string{broken},
			want:             storage.BucketExists,
			isOutcomeUnknown: true,
		},
		"the bucket appears a moment later": {
			heads:            []string{"404 ", "404 "},
			creates:          []string{broken, errorResponse(409, "BucketAlreadyOwnedByYou")},
			want:             storage.BucketExists,
			isOutcomeUnknown: true,
		},
		"another account has the bucket": {
			heads:            []string{"404 ", "403 "},
			creates:          []string{broken, errorResponse(409, "BucketAlreadyExists")},
			want:             storage.BucketExists,
			isOutcomeUnknown: true,
		},
		"the bucket is not there": {
			heads:   []string{"404 ", "404 "},
			creates: []string{broken},
		},
		"the bucket was there before": {heads: []string{"200 "}, want: storage.BucketExists},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service, transport := newScriptedService(t, Config{}, newBucketReplies(nil))

				// After these responses, the server responds as it does for a new bucket.
				transport.first = map[string][]string{"HEAD /": tt.heads, "PUT /": tt.creates}

				_, err := engine.NewService(service).CreateBucket(t.Context(), "photos")
				require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
				require.Equal(t, tt.isOutcomeUnknown, errors.Is(err, storage.OutcomeUnknown), "%v", err)
				if tt.isOutcomeUnknown {
					require.Contains(t, s3error.Of(err).Hint, "call UpdateBucket")
				}

				// The bucket may be that of another process, so no request deletes it.
				require.NotContains(t, transport.requests, "DELETE /")
			})
		})
	}
}

// UpdateBucket waits while an earlier change of the bucket is still in progress.
func TestUpdateBucketWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, transport := newScriptedService(t, Config{}, bucketReplies(nil))
		transport.first = map[string][]string{
			"PUT /?versioning":  repeated(4, errorResponse(409, "OperationAborted")),
			"PUT /?object-lock": {errorResponse(409, "InvalidBucketState")},
		}
		_, err := engine.NewService(service).UpdateBucket(t.Context(), "photos", storage.WithObjectLock())
		require.NoError(t, err, "object lock needs versions, which S3 may not see at once")
	})
}

// UpdateBucket does not wait for a bucket that is missing, because such a bucket is not new.
func TestUpdateBucketDoesNotWaitForMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, transport := newScriptedService(t, Config{}, bucketReplies(nil))
		transport.first = map[string][]string{"PUT /?versioning": {errorResponse(404, "NoSuchBucket")}}

		_, err := engine.NewService(service).UpdateBucket(t.Context(), "photos", storage.WithVersioning(true))
		require.ErrorIs(t, err, storage.BucketNotFound)
	})
}

// CreateBucket deletes the new bucket if it is canceled while it sets the bucket up.
func TestCreateBucketCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, transport := newScriptedService(t, Config{},
			newBucketReplies(map[string]string{"PUT /?versioning": errorResponse(409, "OperationAborted")}))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()

		_, err := engine.NewService(service).CreateBucket(ctx, "photos", storage.WithVersioning(true))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, "DELETE /", transport.requests[len(transport.requests)-1])
	})
}

// To make a bucket public, UpdateBucket ends the bucket's block of public access and sets a policy. If the
// account forbids the policy, UpdateBucket restores the block.
func TestUpdateBucketPolicyRefused(t *testing.T) {
	const blocked = `200 <PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy>` +
		`<RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>`
	synctest.Test(t, func(t *testing.T) {
		// The server has a bucket with the block, and refuses any policy.
		service, transport := newScriptedService(t, Config{}, newBucketReplies(map[string]string{
			"HEAD /":                  "200 ",
			"GET /?publicAccessBlock": blocked,
			"PUT /?policy":            errorResponse(403, "AccessDenied"),
		}))

		public := storage.WithPublicAccess(true)
		_, err := engine.NewService(service).UpdateBucket(t.Context(), "photos", public)
		require.ErrorIs(t, err, storage.PermissionDenied)

		// The last request sets the block that the bucket had.
		require.Equal(t, "PUT /?publicAccessBlock", transport.requests[len(transport.requests)-1])
		block := transport.bodies["PUT /?publicAccessBlock"]
		require.Contains(t, block, "<BlockPublicPolicy>true</BlockPublicPolicy>")
		require.Contains(t, block, "<RestrictPublicBuckets>true</RestrictPublicBuckets>")
	})
}
