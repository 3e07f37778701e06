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
	for name, test := range map[string]struct{ document, code, message string }{
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
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(test.document)
			require.True(t, s3error.Is(err, test.code), err)
			require.ErrorContains(t, err, test.message)
		})
	}
}

// A rule matches events.
func TestRuleMatches(t *testing.T) {
	const both = "<FilterRule><Name>PREFIX</Name><Value>a/</Value></FilterRule><FilterRule><Name>suffix</Name><Value>.txt</Value></FilterRule>"
	for name, test := range map[string]struct {
		document, event, key string
		matches              bool
	}{
		"an event with a star":   {with(arn + event), "ObjectCreated:Put", "k", true},
		"another kind of event":  {with(arn + event), "ObjectRemoved:Delete", "k", false},
		"one event":              {with(arn + "<Event>s3:ObjectCreated:Put</Event>"), "ObjectCreated:Put", "k", true},
		"another event":          {with(arn + "<Event>s3:ObjectCreated:Put</Event>"), "ObjectCreated:Copy", "k", false},
		"one of two events":      {with(arn + event + "<Event>s3:ObjectAcl:Put</Event>"), "ObjectAcl:Put", "k", true},
		"a prefix and a suffix":  {filter(both), "ObjectCreated:Put", "a/b.txt", true},
		"another prefix":         {filter(both), "ObjectCreated:Put", "b/b.txt", false},
		"another suffix":         {filter(both), "ObjectCreated:Put", "a/b.jpg", false},
		"the suffix in the name": {filter(both), "ObjectCreated:Put", "a/b.txt.jpg", false},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := parse(test.document)
			require.NoError(t, err)
			rules := c.All()
			require.Len(t, rules, 1)
			require.Equal(t, test.matches, rules[0].Matches(test.event, test.key))
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
