package s3server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// An inbox keeps events.
type inbox struct {
	mu     sync.Mutex
	events []s3server.Event
}

// add keeps an event.
func (i *inbox) add(e s3server.Event) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.events = append(i.events, e)
}

// take returns the names and keys of the events since the last call.
func (i *inbox) take() (names []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, e := range i.events {
		names = append(names, e.Name+" "+e.Key)
	}
	i.events = nil
	return names
}

// topicRule returns a rule that sends events to a topic.
func topicRule(id string, events ...types.Event) types.TopicConfiguration {
	return types.TopicConfiguration{Id: &id, TopicArn: aws.String(s3server.DefaultEventARN), Events: events}
}

// filtered adds a filter to a rule.
func filtered(rule types.TopicConfiguration, prefix, suffix string) types.TopicConfiguration {
	rule.Filter = &types.NotificationConfigurationFilter{Key: &types.S3KeyFilter{FilterRules: []types.FilterRule{
		{Name: "Prefix", Value: &prefix}, {Name: "Suffix", Value: &suffix},
	}}}
	return rule
}

// setNotifications sets the rules of the bucket.
func (s *store) setNotifications(t *testing.T, rules ...types.TopicConfiguration) error {
	_, err := s.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{
		Bucket:                    aws.String(bucket),
		NotificationConfiguration: &types.NotificationConfiguration{TopicConfigurations: rules},
	})
	return err
}

// The server stores, returns and removes notification configurations. A rule without an id gets one.
func TestNotificationConfiguration(t *testing.T) {
	s := startServer(t, s3server.Config{Notify: func(s3server.Event) {}})
	get := func() *s3.GetBucketNotificationConfigurationOutput {
		output, err := s.GetBucketNotificationConfiguration(t.Context(), &s3.GetBucketNotificationConfigurationInput{
			Bucket: aws.String(bucket),
		})
		require.NoError(t, err)
		return output
	}

	// A new bucket has no rules.
	require.Empty(t, get().TopicConfigurations)

	// A rule comes back as it was set.
	rule := filtered(topicRule("one", types.EventS3ObjectCreated), "a", ".txt")
	require.NoError(t, s.setNotifications(t, rule))
	require.Equal(t, []types.TopicConfiguration{rule}, get().TopicConfigurations)

	// A rule without an id gets one.
	rule.Id = nil
	require.NoError(t, s.setNotifications(t, rule))
	require.NotEmpty(t, *get().TopicConfigurations[0].Id)

	// An empty configuration removes the rules.
	require.NoError(t, s.setNotifications(t))
	require.Empty(t, get().TopicConfigurations)
}

// PutBucketNotificationConfiguration refuses rules that the server cannot apply.
func TestNotificationConfigurationRefused(t *testing.T) {
	const (
		topic        = "<Topic>arn:aws:sns:us-east-1:1:events</Topic>"
		unknownTopic = "<Topic>arn:aws:sns:us-east-1:1:other</Topic>"
		event        = "<Event>s3:ObjectCreated:*</Event>"
		prefixRule   = "<FilterRule><Name>prefix</Name><Value>a</Value></FilterRule>"
		twoPrefixes  = "<Filter><S3Key>" + prefixRule + prefixRule + "</S3Key></Filter>"
	)
	s := startServer(t, s3server.Config{
		Notify:    func(s3server.Event) {},
		EventARNs: []string{"arn:aws:sns:*:events"},
	})
	tests := []struct {
		name        string
		rule        string
		wantStatus  int
		wantCode    string
		wantMessage string // "" is any
	}{
		{name: "EventBridge", rule: "<EventBridgeConfiguration/>", wantStatus: 501, wantCode: "NotImplemented"},
		{
			name:        "unknown topic",
			rule:        "<TopicConfiguration>" + unknownTopic + event + "</TopicConfiguration>",
			wantStatus:  400,
			wantCode:    "InvalidArgument",
			wantMessage: "Unable to validate the following destination configurations",
		},
		{
			name:       "two prefixes",
			rule:       "<TopicConfiguration>" + topic + event + twoPrefixes + "</TopicConfiguration>",
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			document := "<NotificationConfiguration>" + tt.rule + "</NotificationConfiguration>"
			response, body := s.sendSigned(t, "PUT", "/photos?notification", document, nil)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			e := parseError(t, body)
			require.Equal(t, tt.wantCode, e.Code, body)
			if tt.wantMessage != "" {
				require.Equal(t, tt.wantMessage, e.Message)
			}
		})
	}
}

// A rule may name a topic or a queue of Config.EventARNs. With a header that skips the validation,
// the rule may name any topic or queue.
func TestNotificationDestinations(t *testing.T) {
	const event = "<Event>s3:ObjectCreated:*</Event>"
	const unknownTopic = "<NotificationConfiguration><TopicConfiguration>" +
		"<Topic>arn:aws:sns:us-east-1:1:other</Topic>" + event +
		"</TopicConfiguration></NotificationConfiguration>"
	const queue = "<NotificationConfiguration><QueueConfiguration>" +
		"<Queue>arn:aws:sqs:us-east-1:1:jobs</Queue>" + event +
		"</QueueConfiguration></NotificationConfiguration>"
	s := startServer(t, s3server.Config{
		Notify:    func(s3server.Event) {},
		EventARNs: []string{"arn:aws:sqs:*:jobs"},
	})

	// The queue matches EventARNs.
	response, body := s.sendSigned(t, "PUT", "/photos?notification", queue, nil)
	require.Equal(t, 200, response.StatusCode, body)

	// The topic does not match EventARNs, so the request needs the header that skips the
	// validation.
	response, body = s.sendSigned(t, "PUT", "/photos?notification", unknownTopic, map[string]string{
		"X-Amz-Skip-Destination-Validation": "true",
	})
	require.Equal(t, 200, response.StatusCode, body)

	// A server that has nowhere to send events accepts no rule.
	s = startServer(t, s3server.Config{})
	requireFailure(t, s.setNotifications(t, topicRule("", types.EventS3ObjectCreated)), 400, "InvalidArgument")
}

// Each request that changes an object sends an event of its kind. Other requests, and those that fail, send none.
func TestEventsOfRequests(t *testing.T) {
	var events inbox
	s := startServer(t, s3server.Config{Notify: events.add})
	s.setOwnership(t, types.ObjectOwnershipObjectWriter)
	require.NoError(t, s.setNotifications(t, topicRule("all",
		types.EventS3ObjectCreated,
		types.EventS3ObjectRemoved,
		types.EventS3ObjectTagging,
		types.EventS3ObjectAclPut,
		types.EventS3ObjectRestorePost,
	)))

	// Objects are created.
	s.put(t, "a b", "hello")
	require.Equal(t, []string{"ObjectCreated:Put a b"}, events.take())

	_, err := s.CopyObject(t.Context(), copyInput("a b", "c"))
	require.NoError(t, err)
	require.Equal(t, []string{"ObjectCreated:Copy c"}, events.take())

	upload := s.beginUpload(t, "m")
	part := s.uploadPart(t, "m", upload, 1, "hello")
	require.Empty(t, events.take(), "an upload is no object yet")
	_, err = s.CompleteMultipartUpload(t.Context(), completeInput("m", upload, part))
	require.NoError(t, err)
	require.Equal(t, []string{"ObjectCreated:CompleteMultipartUpload m"}, events.take())

	// The next requests set and delete tags, and set the ACL of an object.
	_, err = s.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{
		Bucket:  aws.String(bucket),
		Key:     aws.String("c"),
		Tagging: &types.Tagging{TagSet: []types.Tag{}},
	})
	require.NoError(t, err)
	_, err = s.DeleteObjectTagging(t.Context(), &s3.DeleteObjectTaggingInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("c"),
	})
	require.NoError(t, err)
	_, err = s.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("c"),
		ACL:    types.ObjectCannedACLPrivate,
	})
	require.NoError(t, err)
	require.Equal(t, []string{"ObjectTagging:Put c", "ObjectTagging:Delete c", "ObjectAcl:Put c"}, events.take())

	// Objects are removed.
	s.deleteObject(t, "missing")
	require.Empty(t, events.take(), "nothing was removed")

	s.deleteObject(t, "c")
	_, err = s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{
			Quiet:   aws.Bool(true),
			Objects: []types.ObjectIdentifier{{Key: aws.String("m")}, {Key: aws.String("a b")}},
		},
	})
	require.NoError(t, err)
	require.Equal(t,
		[]string{"ObjectRemoved:Delete c", "ObjectRemoved:Delete m", "ObjectRemoved:Delete a b"}, events.take())

	// The request fails, because the object exists.
	s.put(t, "k", "x")
	events.take()
	input := putInput("k", "y")
	input.IfNoneMatch = aws.String("*")
	_, err = s.PutObject(t.Context(), input)
	require.Error(t, err)
	require.Empty(t, events.take())
}

// A rule sends only events of its kinds.
func TestEventsOfOtherKinds(t *testing.T) {
	var events inbox
	s := startServer(t, s3server.Config{Notify: events.add})
	require.NoError(t, s.setNotifications(t, topicRule("", types.EventS3ObjectRemoved)))

	s.put(t, "k", "x")
	require.Empty(t, events.take())
	s.deleteObject(t, "k")
	require.Equal(t, []string{"ObjectRemoved:Delete k"}, events.take())
}

// With versioning, events have the ID of the version or of the delete marker. Their sequencers show their order.
func TestEventsOfVersions(t *testing.T) {
	var events inbox
	s := startServer(t, s3server.Config{Notify: events.add})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	require.NoError(t, s.setNotifications(t, topicRule("", types.EventS3ObjectCreated, types.EventS3ObjectRemoved)))

	// A write makes a version, and a removal makes a delete marker.
	s.put(t, "v", "x")
	s.deleteObject(t, "v")
	created, marker := events.events[0], events.events[1]
	require.NotEmpty(t, created.VersionID)
	require.NotEmpty(t, marker.VersionID)
	require.NotEqual(t, created.VersionID, marker.VersionID)
	require.Less(t, created.Sequencer, marker.Sequencer)

	// The removal of the marker is an event, too.
	s.deleteVersion(t, "v", marker.VersionID)
	require.Equal(t,
		[]string{"ObjectCreated:Put v", "ObjectRemoved:DeleteMarkerCreated v", "ObjectRemoved:Delete v"}, events.take())
}

// An event describes the object, its bucket and the rule that sends the event.
func TestEventFields(t *testing.T) {
	var events inbox
	s := startServer(t, s3server.Config{Notify: events.add})
	require.NoError(t, s.setNotifications(t, topicRule("rule", types.EventS3ObjectCreated)))

	s.put(t, "k", "hello")

	require.Len(t, events.events, 1)
	event := events.events[0]
	require.Equal(t, "rule", event.Configuration)
	require.Equal(t, s3server.DefaultEventARN, event.TargetARN)
	require.Equal(t, "5d41402abc4b2a76b9719d911017c592", event.ETag, "the MD5 of the content")
	require.Equal(t, int64(len("hello")), event.Size)
	require.Equal(t, bucket, event.Bucket)
	require.Equal(t, s3server.DefaultAccountID, event.Account)
	require.Equal(t, s3server.DefaultAccountID, event.BucketOwner)
}

// A notification with a filter sends an event only if its key has the filter's prefix and suffix.
func TestEventsAreFiltered(t *testing.T) {
	var box inbox
	s := startServer(t, s3server.Config{Notify: box.add})
	require.NoError(t, s.setNotifications(
		t,
		filtered(topicRule("", types.EventS3ObjectCreatedPut), "in/", ".jpg"),
		filtered(topicRule("", types.EventS3ObjectCreated), "in/", ".png"),
	))

	for _, key := range []string{"in/a.jpg", "in/a.gif", "out/a.jpg", "in/a.png"} {
		s.put(t, key, "x")
	}
	s.deleteObject(t, "in/a.jpg")

	require.Equal(t, []string{"ObjectCreated:Put in/a.jpg", "ObjectCreated:Put in/a.png"}, box.take())
}

// Lifecycle rules send an event for each object that they expire or move to another class.
func TestEventsOfLifecycleRules(t *testing.T) {
	const nextDay = time.Hour + time.Second // an hour counts as a day
	var box inbox
	s := startServer(t, s3server.Config{Notify: box.add, LifecycleDay: time.Hour})
	require.NoError(t,
		s.setNotifications(t, topicRule("", types.EventS3LifecycleExpiration, types.EventS3LifecycleTransition)))

	// One rule expires "a", and the other one archives "b", because it is large.
	s.put(t, "a", "x")
	s.put(t, "b", strings.Repeat("x", 50<<10))
	const archiveLarge = "<Rule><Filter><ObjectSizeGreaterThan>9</ObjectSizeGreaterThan></Filter>" +
		"<Status>Enabled</Status>" +
		"<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>"
	s.setLifecycle(t, rule("a", "<Expiration><Days>1</Days></Expiration>")+archiveLarge)
	s.runLater(nextDay, s.server.RunLifecycle)
	require.Equal(t, []string{"LifecycleExpiration:Delete a", "LifecycleTransition b"}, box.take())

	// With versioning, the expiration of an object adds a delete marker.
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	s.put(t, "a", "x")
	s.runLater(nextDay, s.server.RunLifecycle)
	require.Equal(t, []string{"LifecycleExpiration:DeleteMarkerCreated a"}, box.take())
}

// The JSON of an event has the fields that AWS sends, in the format version of the event's kind.
func TestEventJSON(t *testing.T) {
	text, err := json.Marshal(s3server.Event{
		Name:          "ObjectCreated:Put",
		Time:          time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		Bucket:        "photos",
		Key:           "a b/é@",
		Size:          0,
		ETag:          "e",
		Sequencer:     "0F",
		Configuration: "c",
		RequestID:     "id",
		SourceIP:      "::1",
		Account:       "1",
		BucketOwner:   "2",
		Region:        "us-east-1",
	})
	require.NoError(t, err)
	require.JSONEq(t, `{
		"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": "2026-05-01T10:00:00.000Z", "eventName": "ObjectCreated:Put",
		"userIdentity": {"principalId": "AWS:1"}, "requestParameters": {"sourceIPAddress": "::1"},
		"responseElements": {"x-amz-request-id": "id", "x-amz-id-2": "b3duLXMzLXNlcnZlci1mb3ItdGVzdHM="},
		"s3": {"s3SchemaVersion": "1.0", "configurationId": "c",
			"bucket": {"name": "photos", "ownerIdentity": {"principalId": "2"}, "arn": "arn:aws:s3:::photos"},
			"object": {"key": "a+b/%C3%A9%40", "size": 0, "eTag": "e", "sequencer": "0F"}}}`, string(text))

	// The event is of a kind that AWS added later, so its format version is newer. An event of a
	// removal has no size.
	text, err = json.Marshal(s3server.Event{Name: "LifecycleExpiration:Delete", Key: "k"})
	require.NoError(t, err)
	require.Contains(t, string(text), `"eventVersion":"2.3"`)
	require.NotContains(t, string(text), `"size"`)
}

// startHook starts a receiver of events. It calls accept with each body, and sends the status that accept returns.
func startHook(t *testing.T, accept func(body string) int) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(accept(string(body)))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// A webhook receives a test event for a new configuration, and then the events, in the form of MinIO.
func TestWebhookReceivesEvents(t *testing.T) {
	bodies := make(chan string, 10)
	hook := startHook(t, func(body string) int {
		bodies <- body
		return 200
	})
	s := startServer(t, s3server.Config{WebhookURL: hook})

	require.NoError(t, s.setNotifications(t, topicRule("c", types.EventS3ObjectCreated)))
	require.Contains(t, <-bodies, `"Event":"s3:TestEvent"`)

	// The record of the event has the names of S3. The document around the record has the names of
	// MinIO.
	s.put(t, "k", "x")
	var got struct {
		EventName, Key string
		Records        []struct{ EventName string }
	}
	require.NoError(t, json.Unmarshal([]byte(<-bodies), &got))
	require.Equal(t, "ObjectCreated:Put", got.Records[0].EventName)
	require.Equal(t, "s3:ObjectCreated:Put", got.EventName)
	require.Equal(t, bucket+"/k", got.Key)
	require.Zero(t, s.server.LostEvents())
}

// Close sends the events that still wait for a webhook.
func TestWebhookReceivesWaitingEventsAtClose(t *testing.T) {
	// The webhook receives an event, but does not answer until the test lets it proceed.
	var mu sync.Mutex
	var bodies []string
	received := make(chan bool, 10)
	proceed := make(chan bool)
	hook := startHook(t, func(body string) int {
		received <- true
		<-proceed
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, body)
		return 200
	})

	// The test closes this server itself.
	server, err := s3server.Start(s3server.Config{Buckets: []string{bucket}, WebhookURL: hook})
	require.NoError(t, err)
	s := &store{server: server, http: server.Client(), clock: &clock{}}
	s.Client = s.client()

	// The server is still sending the test event of the new configuration. The event of the object
	// waits meanwhile.
	require.NoError(t, s.setNotifications(t, topicRule("c", types.EventS3ObjectCreated)))
	<-received
	s.put(t, "k", "x")
	close(proceed)
	server.Close()

	// The last event is that of the object, and none was lost.
	mu.Lock()
	defer mu.Unlock()
	require.Contains(t, bodies[len(bodies)-1], "ObjectCreated:Put")
	require.Zero(t, server.LostEvents())
}

// Start refuses a webhook that is not an http or https URL.
func TestWebhookMustBeURL(t *testing.T) {
	for _, address := range []string{"localhost:80", "ftp://localhost/", "http://", "http://[", "/events"} {
		_, err := s3server.Start(s3server.Config{WebhookURL: address})
		require.ErrorContains(t, err, "must be an http or https URL", address)
	}
}
