package notification_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const arn, event = "<Topic>arn:aws:sns:us-east-1:1:events</Topic>", "<Event>s3:ObjectCreated:*</Event>"

// topic returns a configuration of a topic.
func topic(content string) string {
	return "<TopicConfiguration>" + content + "</TopicConfiguration>"
}

// filteredTopic returns a configuration of a topic whose filter has these rules.
func filteredTopic(rules string) string {
	return topic(arn + event + "<Filter><S3Key>" + rules + "</S3Key></Filter>")
}

// parse parses a document.
func parse(document string) (*notification.Configuration, error) {
	c := &notification.Configuration{}
	if err := xmldoc.Parse([]byte("<NotificationConfiguration>"+document+"</NotificationConfiguration>"), c); err != nil {
		return nil, err
	}
	return c, c.Check()
}

// A configuration that AWS refuses, or that this server cannot serve, is refused with the right code.
func TestConfigurationRefused(t *testing.T) {
	tests := []struct {
		name        string
		document    string
		wantCode    string
		wantMessage string // part of the message
	}{
		{name: "unknown element", document: "<X/>", wantCode: "MalformedXML"},
		{name: "EventBridge", document: "<EventBridgeConfiguration/>", wantCode: "NotImplemented"},
		{name: "event missing", document: topic(arn), wantCode: "MalformedXML"},
		{
			name:     "unknown event",
			document: topic(arn + "<Event>s3:ObjectSeen</Event>"),
			wantCode: "InvalidArgument",
		},
		{
			name:     "event that the server never sends",
			document: topic(arn + "<Event>s3:ObjectRestore:Completed</Event>"),
			wantCode: "NotImplemented",
		},
		{
			name:        "topic is not an ARN",
			document:    topic("<Topic>events</Topic>" + event),
			wantCode:    "InvalidArgument",
			wantMessage: "The ARN could not be parsed",
		},
		{
			name:        "ARN of a queue as a topic",
			document:    topic("<Topic>arn:aws:sqs:us-east-1:1:jobs</Topic>" + event),
			wantCode:    "InvalidArgument",
			wantMessage: "The ARN could not be parsed",
		},
		{
			name:     "element of a queue in a topic",
			document: topic("<Queue>arn:aws:sqs:us-east-1:1:jobs</Queue>" + event),
			wantCode: "MalformedXML",
		},
		{
			name:        "filter with an unknown name",
			document:    filteredTopic("<FilterRule><Name>middle</Name><Value>a</Value></FilterRule>"),
			wantCode:    "InvalidArgument",
			wantMessage: "filter rule name must be either prefix or suffix",
		},
		{
			name:     "filter without a value",
			document: filteredTopic("<FilterRule><Name>prefix</Name></FilterRule>"),
			wantCode: "MalformedXML",
		},
		{
			name:     "two prefixes",
			document: filteredTopic(strings.Repeat("<FilterRule><Name>prefix</Name><Value>a</Value></FilterRule>", 2)),
			wantCode: "InvalidArgument",
		},
		{
			name:     "two rules for the same event",
			document: topic(arn+event) + topic(arn+"<Event>s3:ObjectCreated:Put</Event>"),
			wantCode: "InvalidArgument",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.document)
			require.True(t, s3error.Is(err, tt.wantCode), err)
			require.ErrorContains(t, err, tt.wantMessage)
		})
	}
}

// A rule sends the events that it names, for keys that fit its filter.
func TestRuleMatches(t *testing.T) {
	const prefixAndSuffix = "<FilterRule><Name>PREFIX</Name><Value>a/</Value></FilterRule>" +
		"<FilterRule><Name>suffix</Name><Value>.txt</Value></FilterRule>"
	tests := []struct {
		name        string
		document    string
		event       string
		key         string
		wantMatches bool
	}{
		{
			name:        "events by a pattern",
			document:    topic(arn + event),
			event:       "ObjectCreated:Put",
			key:         "k",
			wantMatches: true,
		},
		{
			name:     "other kind of event",
			document: topic(arn + event),
			event:    "ObjectRemoved:Delete",
			key:      "k",
		},
		{
			name:        "event by its name",
			document:    topic(arn + "<Event>s3:ObjectCreated:Put</Event>"),
			event:       "ObjectCreated:Put",
			key:         "k",
			wantMatches: true,
		},
		{
			name:     "other event",
			document: topic(arn + "<Event>s3:ObjectCreated:Put</Event>"),
			event:    "ObjectCreated:Copy",
			key:      "k",
		},
		{
			name:        "one of two events",
			document:    topic(arn + event + "<Event>s3:ObjectAcl:Put</Event>"),
			event:       "ObjectAcl:Put",
			key:         "k",
			wantMatches: true,
		},
		{
			name:        "prefix and suffix of the filter",
			document:    filteredTopic(prefixAndSuffix),
			event:       "ObjectCreated:Put",
			key:         "a/b.txt",
			wantMatches: true,
		},
		{name: "other prefix", document: filteredTopic(prefixAndSuffix), event: "ObjectCreated:Put", key: "b/b.txt"},
		{name: "other suffix", document: filteredTopic(prefixAndSuffix), event: "ObjectCreated:Put", key: "a/b.jpg"},
		{
			name:     "suffix in the middle of the key",
			document: filteredTopic(prefixAndSuffix),
			event:    "ObjectCreated:Put",
			key:      "a/b.txt.jpg",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parse(tt.document)
			require.NoError(t, err)
			rules := c.All()
			require.Len(t, rules, 1)
			require.Equal(t, tt.wantMatches, rules[0].Matches(tt.event, tt.key))
		})
	}
}

// A rule of a notification configuration without an ID gets one.
func TestParseAddsID(t *testing.T) {
	c, err := parse(topic(arn + event))
	require.NoError(t, err)
	require.NotEmpty(t, c.All()[0].ID)
	require.Equal(t, "arn:aws:sns:us-east-1:1:events", c.All()[0].ARN())
}
