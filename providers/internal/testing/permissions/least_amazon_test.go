//go:build omnibucket_sdks

package permissions_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
	rows "github.com/omnibucket/storage/providers/internal/testing/permissions"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

const (
	isOfAccount = "a policy of a bucket does not permit it"
	isInitiator = "the account that began an upload may list and abort it: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html"
	hasNoKeys   = "a policy of a bucket has no actions of keys"
)

// unenforcedByServer has the permissions that our server does not check by the policy of a bucket.
// Each value is the reason.
var unenforcedByServer = map[string]string{
	"sign":                     "it needs no policy",
	"list-buckets":             isOfAccount,
	"create-bucket":            isOfAccount,
	"create-bucket-versioning": isOfAccount,
	"create-bucket-cors":       isOfAccount,
	"create-bucket-lifecycle":  isOfAccount,
	"create-bucket-public":     isOfAccount,
	"create-bucket-lock":       isOfAccount,

	"upload-parts-failed s3:AbortMultipartUpload":     isInitiator,
	"upload-parts-failed s3:ListMultipartUploadParts": isInitiator,
	"open-upload s3:ListMultipartUploadParts":         isInitiator,
	"download-missing s3:GetObject":                   "s3:ListBucket permits to learn that an object is missing",
	"update-bucket-public s3:PutBucketPolicy":         "without it, the driver waits half a minute for the block to be lifted",
	"update-bucket-private":                           "the policy of the bucket is the one that grants, so that it is not removed",
	"kms:GenerateDataKey":                             hasNoKeys,
	"kms:Decrypt":                                     hasNoKeys,
}

// The policy of each operation is enough for a user of another account, and has no superfluous
// action.
func TestPolicyIsLeast(t *testing.T) {
	const prefix = "users/" // of the keys that the policy permits, if it can have a prefix
	rows.Least(t, rows.Enforcer{
		Provider:   permissions.AWS,
		Bucket:     func() string { return "photos" },
		Open:       openTrial,
		Unenforced: unenforcedByServer,
	}, prefix)
}

// openTrial starts a server with the bucket of a trial. The rows.Account that it returns belongs to
// a user of another account. This user has only the permissions of the trial's policy.
func openTrial(t *testing.T, trial rows.Trial) rows.Account {
	const key, secret, account = "AKIAUSERUSERUSERUSER", "user-secret-key", "210987654321"
	ownerCredential := s3server.Credential{
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
		Account:     s3server.DefaultAccountID,
	}
	userCredential := s3server.Credential{AccessKeyID: key, SecretKey: secret, Account: account}
	amazon := startAmazon(t, s3server.Config{
		Strict:      trial.Kind != rows.AccessLists,
		Credentials: []s3server.Credential{ownerCredential, userCredential},
	})
	owner := amazon.service(t, s3server.DefaultAccessKeyID, s3server.DefaultSecretKey)

	// An operation on the bucket itself needs a bucket that can have all settings.
	isOfBucket := trial.Operation.Section() == "Buckets"
	if isOfBucket {
		trial.Kind = rows.Locks
	}
	create(t, owner, trial.Kind)
	grant := func() {
		if isOfBucket {
			// The operation update-bucket-public makes the bucket public itself.
			isPublic := trial.Operation != "update-bucket-public"
			giveSettings(t, owner, isPublic)
		}
		addStatements(t, owner, trial.Policy, account)
	}
	return rows.Account{
		Recorder: amazon.recorder,
		Service:  amazon.service(t, key, secret),
		Owner:    owner,
		Bucket:   "photos",
		Prefix:   trial.Prefix,
		Key:      s3.WithKMSKey("1234abcd-12ab-34cd-56ef-1234567890ab"),
		Archive:  "GLACIER",
		Grant:    grant,
	}
}

// giveSettings gives a bucket all settings, and public access if isPublic is true.
func giveSettings(t *testing.T, owner storage.Service, isPublic bool) {
	t.Helper()
	_, err := owner.UpdateBucket(t.Context(), "photos",
		storage.WithCORS(storage.CORSRule{
			Origins: []string{"https://example.com"},
			Methods: []string{"GET"},
		}),
		storage.WithLifecycle(storage.LifecycleRule{Prefix: "old/", ExpireAfterDays: 7}))
	require.NoError(t, err)
	if isPublic {
		_, err = owner.UpdateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
		require.NoError(t, err)
	}
}

// addStatements adds the statements of a policy for an account to the policy of the bucket.
func addStatements(t *testing.T, owner storage.Service, policy, account string) {
	t.Helper()
	type document struct {
		Version   string
		Statement []map[string]any
	}
	var added, all document
	require.NoError(t, json.Unmarshal([]byte(policy), &added))
	b, err := owner.Bucket("photos")
	require.NoError(t, err)
	client, ok := storage.As[*awss3.Client](b)
	require.True(t, ok)
	got, err := client.GetBucketPolicy(t.Context(), &awss3.GetBucketPolicyInput{Bucket: aws.String("photos")})
	if err == nil {
		require.NoError(t, json.Unmarshal([]byte(*got.Policy), &all))
	}
	all.Version = added.Version
	for _, statement := range added.Statement {
		actions, _ := statement["Action"].([]any)
		if first, _ := actions[0].(string); strings.HasPrefix(first, "kms:") {
			continue // a policy of a bucket has no actions of keys
		}
		statement["Principal"] = map[string]string{"AWS": "arn:aws:iam::" + account + ":root"}
		all.Statement = append(all.Statement, statement)
	}
	if len(all.Statement) == 0 {
		return
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	_, err = client.PutBucketPolicy(
		t.Context(),
		&awss3.PutBucketPolicyInput{Bucket: aws.String("photos"), Policy: aws.String(string(text))},
	)
	require.NoError(t, err)
}
