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
	require.Empty(t, get().TopicConfigurations)

	rule := filtered(topicRule("one", types.EventS3ObjectCreated), "a", ".txt")
	require.NoError(t, s.setNotifications(t, rule))
	require.Equal(t, []types.TopicConfiguration{rule}, get().TopicConfigurations)

	rule.Id = nil
	require.NoError(t, s.setNotifications(t, rule))
	require.NotEmpty(t, *get().TopicConfigurations[0].Id)

	require.NoError(t, s.setNotifications(t))
	require.Empty(t, get().TopicConfigurations)
}

// The server refuses these notification configurations.
func TestNotificationConfigurationRefused(t *testing.T) {
	s := startServer(t, s3server.Config{
		Notify:    func(s3server.Event) {},
		EventARNs: []string{"arn:aws:sns:*:events", "arn:aws:sqs:*:jobs"},
	})
	const arn, event = "<Topic>arn:aws:sns:us-east-1:1:events</Topic>", "<Event>s3:ObjectCreated:*</Event>"
	topicDocument := func(content string) string { return "<TopicConfiguration>" + content + "</TopicConfiguration>" }
	filter := func(rules string) string {
		return topicDocument(arn + event + "<Filter><S3Key>" + rules + "</S3Key></Filter>")
	}

	tests := []struct {
		name     string
		document string
		status   int
		code     string
		message  string
	}{
		{
			name:     "EventBridge",
			document: "<EventBridgeConfiguration/>",
			status:   501,
			code:     "NotImplemented",
		},
		{
			name:     "an unknown topic",
			document: topicDocument("<Topic>arn:aws:sns:us-east-1:1:other</Topic>" + event),
			status:   400,
			code:     "InvalidArgument",
			message:  "Unable to validate the following destination configurations",
		},
		{
			name:     "two prefixes",
			document: filter(strings.Repeat("<FilterRule><Name>prefix</Name><Value>a</Value></FilterRule>", 2)),
			status:   400,
			code:     "InvalidArgument",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendSigned(t, "PUT", "/photos?notification",
				"<NotificationConfiguration>"+tt.document+"</NotificationConfiguration>", nil)
			require.Equal(t, tt.status, response.StatusCode, body)
			e := parseError(t, body)
			require.Equal(t, tt.code, e.Code, body)
			if tt.message != "" {
				require.Equal(t, tt.message, e.Message)
			}
		})
	}

	unknown := "<NotificationConfiguration>" +
		topicDocument("<Topic>arn:aws:sns:us-east-1:1:other</Topic>"+event) +
		"</NotificationConfiguration>"
	response, body := s.sendSigned(t, "PUT", "/photos?notification", unknown, map[string]string{
		"X-Amz-Skip-Destination-Validation": "true",
	})
	require.Equal(t, 200, response.StatusCode, body)

	queue := "<NotificationConfiguration><QueueConfiguration><Queue>arn:aws:sqs:us-east-1:1:jobs</Queue>" + event + "</QueueConfiguration></NotificationConfiguration>"
	response, body = s.sendSigned(t, "PUT", "/photos?notification", queue, nil)
	require.Equal(t, 200, response.StatusCode, body)

	s = startServer(t, s3server.Config{})
	requireFailure(t, s.setNotifications(t, topicRule("", types.EventS3ObjectCreated)), 400, "InvalidArgument")
}

// Each request that changes something sends its event.
func TestEventsOfRequests(t *testing.T) {
	var box inbox
	s := startServer(t, s3server.Config{Notify: box.add})
	name := aws.String(bucket)
	everything := []types.Event{
		types.EventS3ObjectCreated, types.EventS3ObjectRemoved, types.EventS3ObjectTagging, types.EventS3ObjectRestorePost,
	}
	require.NoError(t, s.setNotifications(t, topicRule("all", everything...)))

	s.put(t, "a b", "hello")
	require.Equal(t, "all", box.events[0].Configuration)
	require.Equal(t, s3server.DefaultEventARN, box.events[0].TargetARN)
	require.Equal(t, "5d41402abc4b2a76b9719d911017c592", box.events[0].ETag)
	require.Equal(t, int64(5), box.events[0].Size)
	require.Equal(t, bucket, box.events[0].Bucket)
	require.Equal(t, s3server.DefaultAccountID, box.events[0].Account)
	require.Equal(t, s3server.DefaultAccountID, box.events[0].BucketOwner)
	require.Equal(t, []string{"ObjectCreated:Put a b"}, box.take())

	_, err := s.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket:     name,
		Key:        aws.String("c"),
		CopySource: aws.String("photos/a%20b"),
	})
	require.NoError(t, err)
	require.Equal(t, []string{"ObjectCreated:Copy c"}, box.take())

	id := s.beginUpload(t, "m")
	part := s.uploadPart(t, "m", id, 1, "hello")
	require.Empty(t, box.take(), "an upload is no object yet")

	_, err = s.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket:          name,
		Key:             aws.String("m"),
		UploadId:        &id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{part}},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"ObjectCreated:CompleteMultipartUpload m"}, box.take())

	_, err = s.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{
		Bucket:  name,
		Key:     aws.String("c"),
		Tagging: &types.Tagging{TagSet: []types.Tag{}},
	})
	require.NoError(t, err)
	_, err = s.DeleteObjectTagging(t.Context(), &s3.DeleteObjectTaggingInput{
		Bucket: name,
		Key:    aws.String("c"),
	})
	require.NoError(t, err)
	require.Equal(t, []string{"ObjectTagging:Put c", "ObjectTagging:Delete c"}, box.take())

	require.NoError(t, s.setNotifications(t, topicRule("some", types.EventS3ObjectAclPut, types.EventS3ObjectRemoved)))
	_, err = s.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{
		Bucket:            name,
		OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipObjectWriter}}},
	})
	require.NoError(t, err)

	_, err = s.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{
		Bucket: name,
		Key:    aws.String("c"),
		ACL:    types.ObjectCannedACLPrivate,
	})
	require.NoError(t, err)
	require.Equal(t, []string{"ObjectAcl:Put c"}, box.take())

	require.NoError(t, s.setNotifications(t, topicRule("all", everything...)))
	s.deleteObject(t, "missing")
	require.Empty(t, box.take(), "nothing was removed")

	s.deleteObject(t, "c")
	_, err = s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: name,
		Delete: &types.Delete{
			Quiet:   aws.Bool(true),
			Objects: []types.ObjectIdentifier{{Key: aws.String("m")}, {Key: aws.String("a b")}},
		},
	})
	require.NoError(t, err)
	require.Equal(t,
		[]string{"ObjectRemoved:Delete c", "ObjectRemoved:Delete m", "ObjectRemoved:Delete a b"}, box.take())

	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	s.put(t, "v", "x")
	s.deleteObject(t, "v")
	require.NotEmpty(t, box.events[1].VersionID)
	require.Less(t, box.events[0].Sequencer, box.events[1].Sequencer)
	s.deleteVersion(t, "v", box.events[1].VersionID)
	require.Equal(t,
		[]string{"ObjectCreated:Put v", "ObjectRemoved:DeleteMarkerCreated v", "ObjectRemoved:Delete v"}, box.take())

	_, err = s.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket:      name,
		Key:         aws.String("v"),
		IfNoneMatch: aws.String("*"),
		Body:        strings.NewReader("y"),
	})
	require.Error(t, err)
	require.Empty(t, box.take(), "a request that fails has no event")
}

// A notification with a filter sends only events about keys with that prefix and suffix.
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

// The JSON of an event has the fields of AWS, in the version of its kind.
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

	// An event of a kind that AWS added later has a newer version, and a removal has no size.
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

	// The event has the names of S3 in its record, and those of MinIO around it.
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

// Close sends the events that still wait to a webhook.
func TestWebhookReceivesWaitingEventsAtClose(t *testing.T) {
	// The webhook receives an event, but accepts it only when it may proceed.
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

	// While the test event of the new configuration is being sent, the event of the object waits.
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
