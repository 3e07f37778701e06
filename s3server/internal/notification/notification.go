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

// filter returns the prefix and the suffix of the keys about which the rule sends events. Each is "" if the rule does
// not limit it.
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

// Check fails if AWS would refuse the configuration of a bucket's notifications. It gives each rule without an Id one,
// and writes the names of filters as AWS does.
func (c *Configuration) Check() error {
	if c.EventBridgeConfiguration != nil {
		return s3error.New("NotImplemented").WithMessage("This server sends no events to EventBridge")
	}

	for i := range c.TopicConfiguration {
		rule := &c.TopicConfiguration[i]
		if err := rule.check("Topic", rule.Topic, "sns"); err != nil {
			return err
		}
	}
	for i := range c.QueueConfiguration {
		rule := &c.QueueConfiguration[i]
		if err := rule.check("Queue", rule.Queue, "sqs"); err != nil {
			return err
		}
	}
	for i := range c.CloudFunctionConfiguration {
		rule := &c.CloudFunctionConfiguration[i]
		if err := rule.check("CloudFunction", rule.CloudFunction, "lambda"); err != nil {
			return err
		}
	}
	return c.checkOverlaps()
}

// check fails if AWS would refuse the rule, whose only target must be arn, an ARN of this service in this
// XML element. It gives a rule without an ID one.
func (n *Rule) check(element, arn, service string) error {
	if n.ARN() != arn {
		return s3error.New("MalformedXML")
	}

	// An ARN is arn:partition:service:region:account:resource.
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[2] != service {
		return s3error.New("InvalidArgument", "ArgumentName", element, "ArgumentValue", arn).
			WithMessage("The ARN could not be parsed")
	}

	if err := n.checkEvents(); err != nil {
		return err
	}

	n.ID = cmp.Or(n.ID, rand.Text())
	return n.checkFilter()
}

// checkEvents fails if the rule has no events, or one that the server does not know or send.
func (n *Rule) checkEvents() error {
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
	return nil
}

// checkFilter fails if the filter of a notification rule has anything but one prefix and one suffix, and otherwise
// writes their names as AWS does.
func (n *Rule) checkFilter() error {
	if n.Filter == nil {
		return nil
	}

	seen := map[string]bool{}
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
		if seen[name] {
			return s3error.New("InvalidArgument", "ArgumentName", "FilterRule.Name", "ArgumentValue",
				rule.Name).WithMessage("Cannot specify more than one %s rule in a filter.", name)
		}

		// AWS shows the names as Prefix and Suffix.
		seen[name] = true
		rule.Name = strings.ToUpper(name[:1]) + name[1:]
	}
	return nil
}

// checkOverlaps fails if two rules select the same event of the same key.
func (c *Configuration) checkOverlaps() error {
	rules := c.All()
	for i, rule := range rules {
		for _, other := range rules[:i] {
			if rule.sharesKey(other) && rule.sharesEvent(other) {
				return s3error.New("InvalidArgument").WithMessage(
					"Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.",
				)
			}
		}
	}
	return nil
}

// sharesKey reports whether a key can match the filters of both rules, because one of their prefixes begins
// with the other, and one of their suffixes ends with the other.
func (n *Rule) sharesKey(other *Rule) bool {
	prefix, suffix := n.filter()
	otherPrefix, otherSuffix := other.filter()
	if !strings.HasPrefix(prefix, otherPrefix) && !strings.HasPrefix(otherPrefix, prefix) {
		return false
	}
	return strings.HasSuffix(suffix, otherSuffix) || strings.HasSuffix(otherSuffix, suffix)
}

// sharesEvent reports whether an event can match a pattern of each rule.
func (n *Rule) sharesEvent(other *Rule) bool {
	for _, pattern := range n.Event {
		for _, otherPattern := range other.Event {
			if wildcard.MatchOneStar(pattern, otherPattern) || wildcard.MatchOneStar(otherPattern, pattern) {
				return true
			}
		}
	}
	return false
}
