package s3server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// setLifecycle sets the lifecycle rules of the bucket.
func (s *store) setLifecycle(t *testing.T, rules string) {
	t.Helper()
	response, body := s.putDocument(t, "/photos?lifecycle",
		"<LifecycleConfiguration>"+rules+"</LifecycleConfiguration>")
	require.Equal(t, 200, response.StatusCode, body)
}

// rule is an enabled rule about keys with a prefix.
func rule(prefix, actions string) string {
	return "<Rule><ID>" + prefix + "</ID><Filter><Prefix>" + prefix + "</Prefix></Filter><Status>Enabled</Status>" + actions + "</Rule>"
}

// runLater calls f with the clock of the server moved on by d.
func (s *store) runLater(d time.Duration, f func()) {
	s.clock.move(d)
	defer s.clock.move(-d)
	f()
}

// midnight returns the first midnight after an object was written.
func (s *store) midnight(t *testing.T, key string) time.Time {
	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: &key})
	require.NoError(t, err)
	return head.LastModified.Truncate(24 * time.Hour).Add(24 * time.Hour)
}

// inHours makes a day of lifecycle rules one hour long. Such days do not begin at midnight, so the
// result of a test does not depend on the time of day.
var inHours = s3server.Config{LifecycleDay: time.Hour}

// GetBucketLifecycleConfiguration returns the rules that were set, until they are deleted. A rule without an ID gets
// one.
func TestLifecycleRulesAreKept(t *testing.T) {
	s := startServer(t, s3server.Config{})

	getRules := func() (*s3.GetBucketLifecycleConfigurationOutput, error) {
		return s.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{
			Bucket: aws.String(bucket),
		})
	}
	putRules := func(rules ...types.LifecycleRule) error {
		_, err := s.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{
			Bucket:                 aws.String(bucket),
			LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
			ChecksumAlgorithm:      types.ChecksumAlgorithmCrc32c,
		})
		return err
	}

	ruleWithAllActions := types.LifecycleRule{
		ID:         aws.String("one"),
		Status:     types.ExpirationStatusEnabled,
		Filter:     &types.LifecycleRuleFilter{Prefix: aws.String("logs/")},
		Expiration: &types.LifecycleExpiration{Days: aws.Int32(300)},
		Transitions: []types.Transition{{
			Days:         aws.Int32(0),
			StorageClass: types.TransitionStorageClassGlacier,
		}},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(1)},
		NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{
			NoncurrentDays:          aws.Int32(2),
			NewerNoncurrentVersions: aws.Int32(3),
		},
		NoncurrentVersionTransitions: []types.NoncurrentVersionTransition{{
			NoncurrentDays: aws.Int32(1),
			StorageClass:   types.TransitionStorageClassDeepArchive,
		}},
	}
	ruleWithAllFilters := types.LifecycleRule{
		ID:         aws.String("two"),
		Status:     types.ExpirationStatusDisabled,
		Expiration: &types.LifecycleExpiration{Date: aws.Time(time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC))},
		Filter: &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{
			Prefix:                aws.String("a"),
			ObjectSizeGreaterThan: aws.Int64(5),
			ObjectSizeLessThan:    aws.Int64(10),
			Tags:                  []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		}},
	}

	// A new bucket has no rules.
	_, err := getRules()
	requireFailure(t, err, 404, "NoSuchLifecycleConfiguration")

	// The rules are returned as they were set.
	require.NoError(t, putRules(ruleWithAllActions, ruleWithAllFilters))
	got, err := getRules()
	require.NoError(t, err)
	require.Equal(t, []types.LifecycleRule{ruleWithAllActions, ruleWithAllFilters}, got.Rules)
	require.Equal(t, types.TransitionDefaultMinimumObjectSizeAllStorageClasses128k,
		got.TransitionDefaultMinimumObjectSize)

	// Rules without an ID get different ones.
	ruleWithAllActions.ID = nil
	ruleWithAllFilters.ID = nil
	require.NoError(t, putRules(ruleWithAllActions, ruleWithAllFilters))
	got, err = getRules()
	require.NoError(t, err)
	require.NotEmpty(t, *got.Rules[0].ID)
	require.NotEqual(t, *got.Rules[0].ID, *got.Rules[1].ID)

	// The rules are deleted.
	_, err = s.DeleteBucketLifecycle(t.Context(), &s3.DeleteBucketLifecycleInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	_, err = getRules()
	requireFailure(t, err, 404, "NoSuchLifecycleConfiguration")
}

// The server refuses a lifecycle rule with a date that is not midnight, and an unknown minimum size for transitions.
func TestLifecycleRulesRefused(t *testing.T) {
	s := startServer(t, s3server.Config{})

	// The date of a rule must be midnight.
	expireAtNoon := rule("", "<Expiration><Date>2030-01-01T12:00:00Z</Date></Expiration>")
	document := "<LifecycleConfiguration>" + expireAtNoon + "</LifecycleConfiguration>"
	response, body := s.putDocument(t, "/photos?lifecycle", document)
	require.Equal(t, 400, response.StatusCode, body)
	require.Equal(t, "'Date' must be at midnight GMT", parseError(t, body).Message)

	// The rule is valid, but the header names no minimum size that S3 knows.
	expireAfterWeek := rule("", "<Expiration><Days>7</Days></Expiration>")
	document = "<LifecycleConfiguration>" + expireAfterWeek + "</LifecycleConfiguration>"
	_, body = s.sendSigned(t, "PUT", "/photos?lifecycle", document, map[string]string{
		"Content-Md5": md5Of(document),
		"X-Amz-Transition-Default-Minimum-Object-Size": "none",
	})
	require.Equal(t, "Invalid TransitionDefaultMinimumObjectSize found: none", parseError(t, body).Message)
}

// A lifecycle rule expires objects at midnight UTC, after a number of days or at a date.
func TestLifecycleExpiresAtMidnight(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "a/1", "x")
	midnight := s.midnight(t, "a/1")
	s.setLifecycle(t, rule("a/", "<Expiration><Days>1</Days></Expiration>")+
		rule("b/", "<Expiration><Date>"+midnight.Format(time.RFC3339)+"</Date></Expiration>"))
	s.put(t, "b/1", "x")
	s.put(t, "c/1", "x")

	nextMidnight := midnight.Add(24 * time.Hour)
	tests := []struct {
		name     string
		time     time.Time
		wantKeys []string // that are left
	}{
		{name: "before midnight", time: midnight.Add(-time.Minute), wantKeys: []string{"a/1", "b/1", "c/1"}},
		{name: "midnight", time: midnight, wantKeys: []string{"a/1", "c/1"}},
		{name: "before the next", time: nextMidnight.Add(-time.Minute), wantKeys: []string{"a/1", "c/1"}},
		{name: "next midnight", time: nextMidnight, wantKeys: []string{"c/1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.runLater(time.Until(tt.time), s.server.RunLifecycle)
			require.Equal(t, tt.wantKeys, s.keys(t))
		})
	}
}

// A lifecycle rule expires only the objects that its filter selects by prefix, tags and size.
func TestLifecycleFilters(t *testing.T) {
	const (
		expire = "<Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>"
		tagA   = "<Tag><Key>a</Key><Value>1</Value></Tag>"
		tagB   = "<Tag><Key>b</Key><Value>2</Value></Tag>"
	)
	tests := []struct {
		name     string
		filter   string
		wantLeft []string // the keys of objects that do not expire
	}{
		{
			name:     "tags",
			filter:   "<Filter><And>" + tagA + tagB + "</And></Filter>",
			wantLeft: []string{"large", "small", "tagged"},
		},
		{
			name:     "prefix and tag",
			filter:   "<Filter><And><Prefix>tagged-t</Prefix>" + tagA + "</And></Filter>",
			wantLeft: []string{"large", "small", "tagged"},
		},
		{
			name:     "sizes",
			filter:   "<Filter><And><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>6</ObjectSizeLessThan></And></Filter>",
			wantLeft: []string{"large", "small"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, inHours)
			objects := []struct{ key, content, tags string }{
				{key: "large", content: "123456"},
				{key: "small", content: "1"},
				{key: "tagged", content: "123", tags: "a=1"},
				{key: "tagged-twice", content: "123", tags: "a=1&b=2"},
			}
			for _, object := range objects {
				input := putInput(object.key, object.content)
				input.Tagging = &object.tags
				_, err := s.PutObject(t.Context(), input)
				require.NoError(t, err)
			}
			s.setLifecycle(t, "<Rule>"+tt.filter+expire)

			// Before the hour that this server takes for a day, nothing expires.
			s.runLater(59*time.Minute, s.server.RunLifecycle)
			require.Len(t, s.keys(t), len(objects))

			// After the hour, the selected objects expire.
			s.runLater(time.Hour, s.server.RunLifecycle)
			require.Equal(t, tt.wantLeft, s.keys(t))
		})
	}
}

// A lifecycle rule expires noncurrent versions, except for as many of the newest as it keeps.
func TestLifecycleExpiresVersions(t *testing.T) {
	const (
		versionsOfA = 5
		keptOfA     = 2 // noncurrent versions
		pageSize    = 10
	)
	s := startServer(t, inHours)
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	s.setLifecycle(t, rule("a", "<Expiration><Days>2</Days></Expiration>"+
		"<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"+
		"<NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>"))
	for i := range versionsOfA {
		s.put(t, "a", fmt.Sprint(i))
	}
	s.put(t, "b", "x") // no rule is about it

	// Half an hour later, which counts as half a day, nothing has expired.
	s.runLater(30*time.Minute, s.server.RunLifecycle)
	require.Len(t, s.versionIDs(t, pageSize), versionsOfA+1)

	// After a day, two noncurrent versions are left beside the current one.
	s.runLater(90*time.Minute, s.server.RunLifecycle)
	require.Len(t, s.versionIDs(t, pageSize), keptOfA+2, "the current version of a, its kept ones, and b")

	// After two days, the current version has expired, which adds a delete marker.
	s.runLater(3*time.Hour, s.server.RunLifecycle)
	require.Equal(t, []string{"b"}, s.keys(t))
	require.Len(t, s.versionIDs(t, pageSize), keptOfA+3, "the delete marker of a, its three versions, and b")
}

// Lifecycle rules remove a delete marker after all versions of its key have expired.
func TestLifecycleExpiresDeleteMarkers(t *testing.T) {
	const (
		expireNoncurrent = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
		expireMarkers    = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
		expireAfterFive  = "<Expiration><Days>5</Days></Expiration>"
		pageSize         = 10
	)
	s := startServer(t, inHours)
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	for _, key := range []string{"a", "b", "no-rule"} {
		s.put(t, key, "x")
		s.deleteObject(t, key)
	}
	s.setLifecycle(t, rule("a", expireMarkers+expireNoncurrent)+rule("b", expireAfterFive+expireNoncurrent))

	// At first, each key has a version and a delete marker.
	s.server.RunLifecycle()
	require.Len(t, s.versionIDs(t, pageSize), 6)

	// An hour later, which counts as a day, the versions of a and b have expired. So has the marker
	// of a.
	s.runLater(time.Hour+time.Second, s.server.RunLifecycle)
	require.Len(t, s.versionIDs(t, pageSize), 3, "the marker of b, and both of no-rule")

	// After five days, the marker of b has expired.
	s.runLater(5*time.Hour+time.Second, s.server.RunLifecycle)
	require.Len(t, s.versionIDs(t, pageSize), 2, "both of no-rule")
}

// If a client replaces an object or a delete marker while lifecycle rules run, the rules keep the
// new object. In this test, the rules expire the object a. The test then gets the event and
// replaces the object b.
func TestLifecycleKeepsNewerVersion(t *testing.T) {
	const expire = "<Expiration><Days>1</Days></Expiration>"
	enabled := types.BucketVersioningStatusEnabled
	suspended := types.BucketVersioningStatusSuspended
	tests := []struct {
		name  string
		rule  string                       // about the object b
		setUp func(t *testing.T, s *store) // makes the version of b that the rule would expire
	}{
		{
			name: "object of the same content",
			rule: expire,
			setUp: func(t *testing.T, s *store) {
				s.put(t, "b", "x")
			},
		},
		{
			name: "noncurrent null version",
			rule: "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>",
			setUp: func(t *testing.T, s *store) {
				s.put(t, "b", "x")
				s.setVersioning(t, enabled)
				s.put(t, "b", "y")
				s.setVersioning(t, suspended)
			},
		},
		{
			name: "null delete marker",
			rule: "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
			setUp: func(t *testing.T, s *store) {
				s.setVersioning(t, enabled)
				s.setVersioning(t, suspended)
				s.deleteObject(t, "b")
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// replaceB gets each event, and replaces b when a has expired.
			var s *store
			replaceB := func(e s3server.Event) {
				if e.Key != "a" {
					return
				}
				// The test uploads to the server's bucket directly. The server would refuse the
				// requests of clients, because their clock is not moved.
				_, err := s.server.Bucket(bucket).Upload(t.Context(), "b", strings.NewReader("x"))
				require.NoError(t, err)
			}
			s = startServer(t, s3server.Config{LifecycleDay: time.Hour, Notify: replaceB})

			// The rules come first to a, and then to b.
			require.NoError(t, s.setNotifications(t, topicRule("", types.EventS3LifecycleExpiration)))
			tt.setUp(t, s)
			s.put(t, "a", "x")
			s.setLifecycle(t, rule("a", expire)+rule("b", tt.rule))
			s.runLater(2*time.Hour, s.server.RunLifecycle)

			require.Equal(t, []string{"b"}, s.keys(t))
			require.Equal(t, "x", s.get(t, "b"))
		})
	}
}

// If the lifecycle rules are deleted during a sweep, the sweep stops.
func TestLifecycleSweepEndsWithRules(t *testing.T) {
	var s *store
	s = startServer(t, s3server.Config{
		LifecycleDay: time.Hour,
		Notify: func(e s3server.Event) {
			if e.Key != "a" {
				return
			}

			// The sweep has removed a, and b comes next. Delete the rules now. The server's clock
			// must match that of the client. Otherwise, the server would refuse the request.
			s.clock.move(-2 * time.Hour)
			defer s.clock.move(2 * time.Hour)
			_, err := s.DeleteBucketLifecycle(context.WithoutCancel(t.Context()), &s3.DeleteBucketLifecycleInput{
				Bucket: aws.String(bucket),
			})
			require.NoError(t, err)
		},
	})
	require.NoError(t, s.setNotifications(t, topicRule("", types.EventS3LifecycleExpiration)))
	s.put(t, "a", "x")
	s.put(t, "b", "x")
	s.setLifecycle(t, rule("", "<Expiration><Days>1</Days></Expiration>"))

	// The rules end after the first removal, so the object b is left.
	s.runLater(2*time.Hour, s.server.RunLifecycle)
	require.Equal(t, []string{"b"}, s.keys(t))
}

// Lifecycle rules expire noncurrent versions, except for locked ones.
func TestLifecycleKeepsLockedVersions(t *testing.T) {
	s := startServer(t, s3server.Config{LifecycleDay: time.Hour, Buckets: []string{}})
	_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                     aws.String(bucket),
		ObjectLockEnabledForBucket: aws.Bool(true),
	})
	require.NoError(t, err)

	lockedInput := putInput("k", "held")
	lockedInput.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c
	lockedInput.ObjectLockLegalHoldStatus = types.ObjectLockLegalHoldStatusOn
	_, err = s.PutObject(t.Context(), lockedInput)
	require.NoError(t, err)
	s.put(t, "k", "free")
	s.put(t, "k", "current")

	s.setLifecycle(t,
		rule("", "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"))
	s.runLater(2*time.Hour, s.server.RunLifecycle)
	require.Len(t, s.versionIDs(t, 10), 2, "the current version, and the one with a legal hold")
}

// twoTransitions moves an object to another class after one day, and to a third one after three days.
const twoTransitions = "<Transition><Days>1</Days><StorageClass>GLACIER_IR</StorageClass></Transition>" +
	"<Transition><Days>3</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition>"

// classOf returns the storage class of an object.
func (s *store) classOf(t *testing.T, key string) types.ObjectStorageClass {
	t.Helper()
	output, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket: aws.String(bucket),
		Prefix: &key,
	})
	require.NoError(t, err)
	return output.Contents[0].StorageClass
}

// Lifecycle rules change the storage class of objects that are large enough.
func TestLifecycleTransitions(t *testing.T) {
	// The limits differ from those of other tests, because those permit no object of 128 KiB.
	s := startServer(t, s3server.Config{LifecycleDay: time.Hour, Limits: s3server.Limits{MinPartSize: 10}})

	// By default, only objects of at least 128 KiB change their class.
	const defaultMinimum = 128 << 10
	large := strings.Repeat("x", defaultMinimum)
	s.put(t, "large", large)
	s.put(t, "small", "x")
	s.setLifecycle(t, rule("", twoTransitions))

	// Two hours later, which count as two days, the first transition is due.
	s.runLater(2*time.Hour, s.server.RunLifecycle)
	require.Equal(t, types.ObjectStorageClass("GLACIER_IR"), s.classOf(t, "large"))
	require.Equal(t, types.ObjectStorageClassStandard, s.classOf(t, "small"))
	require.Equal(t, large, s.get(t, "large"))

	// With the header X-Amz-Transition-Default-Minimum-Object-Size, the minimum size depends on the
	// storage class. DEEP_ARCHIVE has no minimum.
	document := "<LifecycleConfiguration>" + rule("", twoTransitions) + "</LifecycleConfiguration>"
	response, body := s.sendSigned(t, "PUT", "/photos?lifecycle", document, map[string]string{
		"Content-Md5": md5Of(document),
		"X-Amz-Transition-Default-Minimum-Object-Size": "varies_by_storage_class",
	})
	require.Equal(t, 200, response.StatusCode, body)

	// Four hours later, which count as four days, the second transition is due, too.
	s.runLater(4*time.Hour, s.server.RunLifecycle)
	require.Equal(t, types.ObjectStorageClassDeepArchive, s.classOf(t, "large"))
	require.Equal(t, types.ObjectStorageClassDeepArchive, s.classOf(t, "small"))

	// An archived object cannot be read.
	_, err := s.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("small"),
	})
	requireFailure(t, err, 403, "InvalidObjectState")
}

// A lifecycle rule with a size filter changes the class of each object that it selects, however small.
func TestLifecycleTransitionsBySize(t *testing.T) {
	s := startServer(t, inHours)
	s.put(t, "sized", "12345")
	const sizeFilter = "<Filter><ObjectSizeGreaterThan>4</ObjectSizeGreaterThan></Filter>"
	s.setLifecycle(t, "<Rule>"+sizeFilter+"<Status>Enabled</Status>"+twoTransitions+"</Rule>")
	s.runLater(2*time.Hour, s.server.RunLifecycle)
	require.Equal(t, types.ObjectStorageClass("GLACIER_IR"), s.classOf(t, "sized"))
}

// A lifecycle rule aborts incomplete multipart uploads, and responses say when it will.
func TestLifecycleAbortsUploads(t *testing.T) {
	s := startServer(t, inHours)
	s.setLifecycle(t,
		rule("a", "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"))

	output, err := s.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("a"),
	})
	require.NoError(t, err)
	require.Equal(t, "a", *output.AbortRuleId)
	require.NotNil(t, output.AbortDate)

	// ListParts returns the same rule and date.
	parts, err := s.ListParts(t.Context(), &s3.ListPartsInput{
		Bucket:   aws.String(bucket),
		Key:      aws.String("a"),
		UploadId: output.UploadId,
	})
	require.NoError(t, err)
	require.Equal(t, output.AbortDate, parts.AbortDate)

	// The rule is not about this upload, so only the other one is aborted.
	s.beginUpload(t, "b")
	s.runLater(time.Hour+time.Second, s.server.RunLifecycle)

	uploads, err := s.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	require.Len(t, uploads.Uploads, 1)
	require.Equal(t, "b", *uploads.Uploads[0].Key)
}

// The response to a PUT or HEAD says when and by which lifecycle rule the current version expires.
func TestLifecycleExpirationHeader(t *testing.T) {
	s := startServer(t, s3server.Config{LifecycleDay: time.Hour})
	s.setLifecycle(t,
		rule("a b", "<Expiration><Days>3</Days></Expiration>")+rule("a", "<Expiration><Days>5</Days></Expiration>"))

	put, err := s.PutObject(t.Context(), putInput("a b/1", "x"))
	require.NoError(t, err)

	// The first rule, whose id is escaped, expires the object earlier than the second one.
	expiry := s.midnight(t, "a b/1").AddDate(0, 0, 3).Format(http.TimeFormat)
	want := `expiry-date="` + expiry + `", rule-id="a+b"`
	require.Equal(t, want, *put.Expiration)
	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("a b/1"),
	})
	require.NoError(t, err)
	require.Equal(t, want, *head.Expiration)

	head, err = s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket:    aws.String(bucket),
		Key:       aws.String("a b/1"),
		VersionId: aws.String("null"),
	})
	require.NoError(t, err)
	require.Nil(t, head.Expiration, "a version that is named need not be current")

	// No rule is about this object.
	put, err = s.PutObject(t.Context(), putInput("c", "x"))
	require.NoError(t, err)
	require.Nil(t, put.Expiration)
}

// A running server applies lifecycle rules without a request.
func TestLifecycleRunsByItself(t *testing.T) {
	s := startServer(t, s3server.Config{LifecycleDay: 24 * time.Millisecond})
	s.put(t, "a", "x")
	s.setLifecycle(t, rule("", "<Expiration><Days>1</Days></Expiration>"))

	isEmpty := func() bool { return len(s.keys(t)) == 0 }
	require.Eventually(t, isEmpty, time.Minute, 5*time.Millisecond)
}
