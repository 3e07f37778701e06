package s3server

import (
	"encoding/json"
	"encoding/xml"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/cors"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/website"
)

// A new setting without a field in settingsRecord would be forgotten by a restart.
func TestEverySettingIsStored(t *testing.T) {
	b := &bucket{name: "photos", created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	parse := func(document string, v any) {
		require.NoError(t, xml.Unmarshal([]byte(document), v))
	}
	b.versioning, b.ownership, b.acl = enabled, "ObjectWriter", accessList{{allUsers, permitRead}}
	b.block = &accessBlock{IgnorePublicAcls: true}
	b.cors = &cors.Configuration{}
	parse(`<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule></CORSConfiguration>`, b.cors)
	b.lifecycle = &lifecycle.Configuration{}
	parse(`<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><And><Prefix>p/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>
		<Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>
		<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>
		<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>`, b.lifecycle)
	b.locking = &lockSettings{mode: governance, years: 2}
	b.tags = []tagging.Tag{{Key: "k", Value: "v"}}
	b.encryption = &encryptionRule{}
	parse(`<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>id</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule>`, b.encryption)
	b.payer, b.acceleration, b.logging = "Requester", enabled, []byte("<BucketLoggingStatus/>")
	b.notification = &notification.Configuration{}
	parse(`<NotificationConfiguration><QueueConfiguration><Id>1</Id><Queue>arn:aws:sqs:us-east-1:123456789012:q</Queue><Event>s3:ObjectCreated:*</Event>
		<Filter><S3Key><FilterRule><Name>prefix</Name><Value>a</Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>`, b.notification)
	b.website = &website.Configuration{}
	parse(`<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument><RoutingRules><RoutingRule><Condition><KeyPrefixEquals>a</KeyPrefixEquals></Condition>
		<Redirect><HostName>h</HostName><ReplaceKeyPrefixWith></ReplaceKeyPrefixWith></Redirect></RoutingRule></RoutingRules></WebsiteConfiguration>`, b.website)
	allow := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`
	var err error
	b.policy, err = policy.Parse([]byte(allow), b.name, true)
	require.NoError(t, err)

	fields := reflect.ValueOf(b.settings)
	for i := range fields.NumField() {
		require.False(t, fields.Field(i).IsZero(), "this test must set %s", fields.Type().Field(i).Name)
	}
	document, err := json.Marshal(recordOf(b))
	require.NoError(t, err)
	var record settingsRecord
	require.NoError(t, json.Unmarshal(document, &record))
	restored, err := record.settings("photos")
	require.NoError(t, err)
	require.Equal(t, b.settings, restored)
	require.Equal(t, b.created, record.Created)
}
