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

func with(content string) string {
	return "<TopicConfiguration>" + content + "</TopicConfiguration>"
}

func filter(rules string) string {
	return with(arn + event + "<Filter><S3Key>" + rules + "</S3Key></Filter>")
}

func parse(document string) (*notification.Configuration, error) {
	c := &notification.Configuration{}
	if err := xmldoc.Parse([]byte("<NotificationConfiguration>"+document+"</NotificationConfiguration>"), c); err != nil {
		return nil, err
	}
	return c, c.Check()
}

// Parsing refuses these notification configurations.
func TestConfigurationRefused(t *testing.T) {
	tests := map[string]struct{ document, code, message string }{
		"an unknown element":  {"<X/>", "MalformedXML", ""},
		"EventBridge":         {"<EventBridgeConfiguration/>", "NotImplemented", ""},
		"no event":            {with(arn), "MalformedXML", ""},
		"an unknown event":    {with(arn + "<Event>s3:ObjectSeen</Event>"), "InvalidArgument", ""},
		"an event never sent": {with(arn + "<Event>s3:ObjectRestore:Completed</Event>"), "NotImplemented", ""},
		"no ARN":              {with("<Topic>events</Topic>" + event), "InvalidArgument", "The ARN could not be parsed"},
		"another's ARN":       {with("<Topic>arn:aws:sqs:us-east-1:1:jobs</Topic>" + event), "InvalidArgument", "The ARN could not be parsed"},
		"a queue as a topic":  {with("<Queue>arn:aws:sqs:us-east-1:1:jobs</Queue>" + event), "MalformedXML", ""},
		"a filter's name":     {filter("<FilterRule><Name>middle</Name><Value>a</Value></FilterRule>"), "InvalidArgument", "filter rule name must be either prefix or suffix"},
		"a filter's value":    {filter("<FilterRule><Name>prefix</Name></FilterRule>"), "MalformedXML", ""},
		"two prefixes":        {filter(strings.Repeat("<FilterRule><Name>prefix</Name><Value>a</Value></FilterRule>", 2)), "InvalidArgument", ""},
		"an overlap":          {with(arn+event) + with(arn+"<Event>s3:ObjectCreated:Put</Event>"), "InvalidArgument", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parse(tt.document)
			require.True(t, s3error.Is(err, tt.code), err)
			require.ErrorContains(t, err, tt.message)
		})
	}
}

// A rule matches events.
func TestRuleMatches(t *testing.T) {
	const both = "<FilterRule><Name>PREFIX</Name><Value>a/</Value></FilterRule><FilterRule><Name>suffix</Name><Value>.txt</Value></FilterRule>"
	tests := map[string]struct {
		document, event, key string
		matches              bool
	}{
		"an event with a star":   {document: with(arn + event), event: "ObjectCreated:Put", key: "k", matches: true},
		"another kind of event":  {document: with(arn + event), event: "ObjectRemoved:Delete", key: "k"},
		"one event":              {document: with(arn + "<Event>s3:ObjectCreated:Put</Event>"), event: "ObjectCreated:Put", key: "k", matches: true},
		"another event":          {document: with(arn + "<Event>s3:ObjectCreated:Put</Event>"), event: "ObjectCreated:Copy", key: "k"},
		"one of two events":      {document: with(arn + event + "<Event>s3:ObjectAcl:Put</Event>"), event: "ObjectAcl:Put", key: "k", matches: true},
		"a prefix and a suffix":  {document: filter(both), event: "ObjectCreated:Put", key: "a/b.txt", matches: true},
		"another prefix":         {document: filter(both), event: "ObjectCreated:Put", key: "b/b.txt"},
		"another suffix":         {document: filter(both), event: "ObjectCreated:Put", key: "a/b.jpg"},
		"the suffix in the name": {document: filter(both), event: "ObjectCreated:Put", key: "a/b.txt.jpg"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := parse(tt.document)
			require.NoError(t, err)
			rules := c.All()
			require.Len(t, rules, 1)
			require.Equal(t, tt.matches, rules[0].Matches(tt.event, tt.key))
		})
	}
}

// A rule without an ID gets one.
func TestParseAddsID(t *testing.T) {
	c, err := parse(with(arn + event))
	require.NoError(t, err)
	require.NotEmpty(t, c.All()[0].ID)
	require.Equal(t, "arn:aws:sns:us-east-1:1:events", c.All()[0].ARN())
}
