// Package notification implements the notification configuration of a bucket. Its rules select the
// events that are sent, and their targets.
package notification

import (
	"cmp"
	"crypto/rand"
	"encoding/xml"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/wildcard"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A Configuration is the XML document with the notification rules of a bucket.
type Configuration struct {
	XMLName                    xml.Name `xml:"NotificationConfiguration"`
	TopicConfiguration         []Rule
	QueueConfiguration         []Rule
	CloudFunctionConfiguration []Rule
	EventBridgeConfiguration   *struct{}
}

// A Rule sends some events to a target. The target's ARN is in Topic, Queue or CloudFunction, and
// the other two are "".
type Rule struct {
	ID            string `xml:"Id"`
	Topic         string `xml:",omitempty"`
	Queue         string `xml:",omitempty"`
	CloudFunction string `xml:",omitempty"`
	Event         []string
	Filter        *struct {
		S3Key struct{ FilterRule []filterRule }
	}
}

// A filterRule is a condition on a key. Its Name is "Prefix" or "Suffix".
type filterRule struct {
	Name  string
	Value *xmldoc.Text
}

// All returns the rules for topics, queues and functions.
func (c *Configuration) All() (rules []*Rule) {
	if c == nil {
		return nil
	}
	for _, kind := range [][]Rule{c.TopicConfiguration, c.QueueConfiguration, c.CloudFunctionConfiguration} {
		for i := range kind {
			rules = append(rules, &kind[i])
		}
	}
	return rules
}

// ARN returns the ARN of the rule's target.
func (n *Rule) ARN() string { return n.Topic + n.Queue + n.CloudFunction }

// filter returns the prefix and the suffix that a key must have for the rule to send an event.
func (n *Rule) filter() (prefix, suffix string) {
	if n.Filter == nil {
		return "", ""
	}
	for _, rule := range n.Filter.S3Key.FilterRule {
		if rule.Name == "Prefix" {
			prefix = string(*rule.Value)
		} else {
			suffix = string(*rule.Value)
		}
	}
	return prefix, suffix
}

// Matches reports whether the rule sends an event for this key. name is the event's name without
// "s3:".
func (n *Rule) Matches(name, key string) bool {
	prefix, suffix := n.filter()
	return strings.HasPrefix(key, prefix) && strings.HasSuffix(key, suffix) && wildcard.AnyOneStar(n.Event, "s3:"+name)
}

// eventNames has the names of events that a configuration may have. Events of replication, of
// intelligent tiering and of lost objects never happen on this server.
var eventNames = []string{
	"s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
	"s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated",
	"s3:ObjectTagging:*", "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete", "s3:ObjectAcl:Put", "s3:ObjectRetention:Put", "s3:ObjectRestore:Post",
	"s3:LifecycleExpiration:*", "s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated", "s3:LifecycleTransition",
	"s3:Replication:*", "s3:Replication:OperationFailedReplication", "s3:Replication:OperationMissedThreshold",
	"s3:Replication:OperationReplicatedAfterThreshold", "s3:Replication:OperationNotTracked", "s3:IntelligentTiering", "s3:ReducedRedundancyLostObject",
}

// unsentEvents has events of AWS that this server never sends. A configuration that names one of
// them is refused.
var unsentEvents = []string{
	"s3:ObjectRestore:*", "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete", "s3:ObjectAnnotation:*", "s3:ObjectAnnotation:Put", "s3:ObjectAnnotation:Delete",
}

// Check fails if AWS would refuse the configuration. It adds an Id to each rule that has none, and
// writes the names of filters as AWS does.
func (c *Configuration) Check() error {
	if c.EventBridgeConfiguration != nil {
		return s3error.New("NotImplemented").WithMessage("This server sends no events to EventBridge")
	}
	for _, kind := range []struct {
		rules         []Rule
		name, service string
		arn           func(*Rule) string
	}{
		{c.TopicConfiguration, "Topic", "sns", func(n *Rule) string { return n.Topic }},
		{c.QueueConfiguration, "Queue", "sqs", func(n *Rule) string { return n.Queue }},
		{c.CloudFunctionConfiguration, "CloudFunction", "lambda", func(n *Rule) string { return n.CloudFunction }},
	} {
		for i := range kind.rules {
			rule := &kind.rules[i]
			parts := strings.SplitN(rule.ARN(), ":", 6)
			if rule.ARN() != kind.arn(rule) {
				return s3error.New("MalformedXML")
			}
			if len(parts) < 6 || parts[0] != "arn" || parts[2] != kind.service {
				return s3error.New("InvalidArgument", "ArgumentName", kind.name, "ArgumentValue",
					rule.ARN()).WithMessage("The ARN could not be parsed")
			}
			if err := rule.check(); err != nil {
				return err
			}
		}
	}
	return c.checkOverlaps()
}

func (n *Rule) check() error {
	if len(n.Event) == 0 {
		return s3error.New("MalformedXML")
	}
	for _, name := range n.Event {
		if slices.Contains(unsentEvents, name) {
			return s3error.New("NotImplemented").WithMessage("This server does not send the event %s", name)
		}
		if !slices.Contains(eventNames, name) {
			return s3error.New("InvalidArgument", "ArgumentName", "Event", "ArgumentValue", name).
				WithMessage("A specified event is not supported for notifications.")
		}
	}
	n.ID = cmp.Or(n.ID, rand.Text())
	if n.Filter == nil {
		return nil
	}
	ids := map[string]bool{}
	for i := range n.Filter.S3Key.FilterRule {
		rule := &n.Filter.S3Key.FilterRule[i]
		name := strings.ToLower(rule.Name)
		if rule.Name == "" || rule.Value == nil {
			return s3error.New("MalformedXML")
		}
		if name != "prefix" && name != "suffix" {
			return s3error.New("InvalidArgument", "ArgumentName", "FilterRule.Name", "ArgumentValue",
				rule.Name).WithMessage("filter rule name must be either prefix or suffix")
		}
		if ids[name] {
			return s3error.New("InvalidArgument", "ArgumentName", "FilterRule.Name", "ArgumentValue",
				rule.Name).WithMessage("Cannot specify more than one %s rule in a filter.", name)
		}
		ids[name] = true
		rule.Name = strings.ToUpper(name[:1]) + name[1:]
	}
	return nil
}

// checkOverlaps fails if two rules select the same event of the same key.
func (c *Configuration) checkOverlaps() error {
	rules := c.All()
	for i, rule := range rules {
		for _, other := range rules[:i] {
			prefix, suffix := rule.filter()
			otherPrefix, otherSuffix := other.filter()
			keys := (strings.HasPrefix(prefix, otherPrefix) || strings.HasPrefix(otherPrefix, prefix)) &&
				(strings.HasSuffix(suffix, otherSuffix) || strings.HasSuffix(otherSuffix, suffix))
			events := slices.ContainsFunc(rule.Event, func(a string) bool {
				return slices.ContainsFunc(
					other.Event,
					func(b string) bool { return wildcard.MatchOneStar(a, b) || wildcard.MatchOneStar(b, a) },
				)
			})
			if keys && events {
				return s3error.New("InvalidArgument").WithMessage(
					"Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.",
				)
			}
		}
	}
	return nil
}
