package state

import (
	"encoding/json"
	"encoding/xml"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/cors"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/website"
)

// Each setting of a bucket survives encoding as JSON. Otherwise, it would be lost at a restart.
func TestBucketStoresEachSetting(t *testing.T) {
	b := newBucketWithEachSetting(t)
	fields := reflect.ValueOf(b.Settings)
	for i := range fields.NumField() {
		require.False(t, fields.Field(i).IsZero(), "newBucketWithEachSetting must set %s", fields.Type().Field(i).Name)
	}

	// Decoding brings back each setting. Init parses the policy, which is decoded as text.
	document, err := json.Marshal(b)
	require.NoError(t, err)
	restored := &Bucket{}
	require.NoError(t, json.Unmarshal(document, restored))
	require.NoError(t, restored.Init("photos"))
	require.Equal(t, b, restored)

	// After the JSON was copied to another bucket, the policy is about that bucket.
	copied := &Bucket{}
	require.NoError(t, json.Unmarshal(document, copied))
	require.NoError(t, copied.Init("elsewhere"))
	require.Contains(t, string(copied.Policy.Text()), `"arn:aws:s3:::elsewhere/*"`)
}

// newBucketWithEachSetting returns the bucket "photos". Each of its settings differs from the zero
// value.
func newBucketWithEachSetting(t *testing.T) *Bucket {
	t.Helper()
	parse := func(document string, v any) {
		require.NoError(t, xml.Unmarshal([]byte(document), v))
	}

	b := &Bucket{Name: "photos", Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	b.Versioning = Enabled
	b.Ownership = "ObjectWriter"
	b.ACL = acl.List{{Grantee: acl.AllUsers, Permission: acl.PermitRead}}
	b.Block = &acl.Block{IgnorePublicAcls: true}
	b.CORS = &cors.Configuration{}
	parse(`<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule></CORSConfiguration>`, b.CORS)
	b.Lifecycle = &lifecycle.Configuration{}
	parse(`<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><And><Prefix>p/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>
		<Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>
		<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>
		<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>`, b.Lifecycle)
	b.Locking = &LockSettings{Mode: Governance, Years: 2}
	b.Tags = []tagging.Tag{{Key: "k", Value: "v"}}
	b.Encryption = &EncryptionRule{}
	parse(`<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>id</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule>`, b.Encryption)
	b.Payer = "Requester"
	b.Acceleration = Enabled
	b.Logging = []byte("<BucketLoggingStatus/>")
	b.Notification = &notification.Configuration{}
	parse(`<NotificationConfiguration><QueueConfiguration><Id>1</Id><Queue>arn:aws:sqs:us-east-1:123456789012:q</Queue><Event>s3:ObjectCreated:*</Event>
		<Filter><S3Key><FilterRule><Name>prefix</Name><Value>a</Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>`, b.Notification)
	b.Website = &website.Configuration{}
	parse(`<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument><RoutingRules><RoutingRule><Condition><KeyPrefixEquals>a</KeyPrefixEquals></Condition>
		<Redirect><HostName>h</HostName><ReplaceKeyPrefixWith></ReplaceKeyPrefixWith></Redirect></RoutingRule></RoutingRules></WebsiteConfiguration>`, b.Website)
	allow := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`
	var err error
	b.Policy, err = policy.Parse([]byte(allow), b.Name)
	require.NoError(t, err)
	return b
}
