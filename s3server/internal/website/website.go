// Package website implements the website configuration of a bucket: its index and error documents,
// and its redirects.
package website

import (
	"encoding/xml"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A Configuration is the XML document that makes a bucket a website.
type Configuration struct {
	XMLName               xml.Name `xml:"WebsiteConfiguration"`
	IndexDocument         *struct{ Suffix xmldoc.Text }
	ErrorDocument         *struct{ Key xmldoc.Text }
	RedirectAllRequestsTo *struct {
		HostName string
		Protocol string `xml:",omitempty"`
	}
	RoutingRules *struct{ RoutingRule []RoutingRule }
}

// A RoutingRule redirects requests that match its condition. A rule without a condition redirects
// all requests.
type RoutingRule struct {
	Condition *struct {
		KeyPrefixEquals             *xmldoc.Text
		HTTPErrorCodeReturnedEquals string `xml:"HttpErrorCodeReturnedEquals,omitempty"`
	}
	Redirect struct {
		HostName             string `xml:",omitempty"`
		HTTPRedirectCode     string `xml:"HttpRedirectCode,omitempty"`
		Protocol             string `xml:",omitempty"`
		ReplaceKeyPrefixWith *xmldoc.Text
		ReplaceKeyWith       *xmldoc.Text
	}
}

// Check fails if AWS would refuse the configuration of a website, which either redirects all requests or has an index
// document.
func (c *Configuration) Check() error {
	if target := c.RedirectAllRequestsTo; target != nil {
		if c.IndexDocument != nil || c.ErrorDocument != nil || c.RoutingRules != nil {
			return s3error.New("InvalidArgument", "ArgumentName", "RedirectAllRequestsTo", "ArgumentValue", "not null").
				WithMessage("RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.")
		}
		if target.HostName == "" {
			return s3error.New("MalformedXML")
		}
		return checkProtocol(target.Protocol)
	}

	if c.IndexDocument == nil {
		return s3error.New("InvalidArgument", "ArgumentName", "IndexDocument", "ArgumentValue", "null").
			WithMessage("A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty")
	}
	if suffix := string(c.IndexDocument.Suffix); suffix == "" || strings.Contains(suffix, "/") {
		return s3error.New("InvalidArgument", "ArgumentName", "IndexDocument", "ArgumentValue", suffix).
			WithMessage("The IndexDocument Suffix is not well formed")
	}
	if c.ErrorDocument != nil && c.ErrorDocument.Key == "" {
		return s3error.New("MalformedXML")
	}
	if c.RoutingRules != nil && len(c.RoutingRules.RoutingRule) == 0 {
		return s3error.New("MalformedXML")
	}

	const maxRules = 50
	if n := len(c.rules()); n > maxRules {
		return s3error.New("InvalidRequest").WithMessage(
			"%d routing rules provided, the number of routing rules in a website configuration is limited to %d.", n,
			maxRules,
		)
	}
	for _, rule := range c.rules() {
		if err := rule.check(); err != nil {
			return err
		}
	}
	return nil
}

// rules returns the routing rules of the website.
func (c *Configuration) rules() []RoutingRule {
	if c.RoutingRules == nil {
		return nil
	}
	return c.RoutingRules.RoutingRule
}

// checkProtocol fails if a redirect's protocol is not http, https, or "" for that of the request.
func checkProtocol(protocol string) error {
	if protocol != "" && protocol != "http" && protocol != "https" {
		return s3error.New("InvalidRequest").WithMessage(
			"Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.",
		)
	}
	return nil
}

// check fails if AWS would refuse the rule.
func (r *RoutingRule) check() error {
	if c := r.Condition; c != nil {
		if c.KeyPrefixEquals == nil && c.HTTPErrorCodeReturnedEquals == "" {
			return s3error.New("InvalidRequest").WithMessage(
				"Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.",
			)
		}
		if code := c.HTTPErrorCodeReturnedEquals; code != "" && !isCodeBetween(code, 400, 599) {
			return s3error.New("InvalidRequest").
				WithMessage("The provided HTTP error code (%s) is not valid. Valid codes are 4XX or 5XX.", code)
		}
	}
	if r.Redirect.ReplaceKeyPrefixWith != nil && r.Redirect.ReplaceKeyWith != nil {
		return s3error.New("InvalidRequest").WithMessage("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
	}
	if code := r.Redirect.HTTPRedirectCode; code != "" && !isCodeBetween(code, 301, 399) {
		return s3error.New("InvalidRequest").
			WithMessage("The provided HTTP redirect code (%s) is not valid. Valid codes are 3XX except 300.", code)
	}
	return checkProtocol(r.Redirect.Protocol)
}

func isCodeBetween(code string, minimum, limit int) bool {
	n, err := strconv.Atoi(code)
	return err == nil && n >= minimum && n <= limit
}

// matches reports whether the rule redirects a request for a key. status is that of the error with
// which the request has failed, or 0 before the object is looked up.
func (r *RoutingRule) matches(key string, status int) bool {
	if r.Condition == nil {
		return status == 0
	}

	// A rule without an error code applies only before the lookup.
	code := ""
	if status != 0 {
		code = strconv.Itoa(status)
	}
	if r.Condition.HTTPErrorCodeReturnedEquals != code {
		return false
	}

	prefix := r.Condition.KeyPrefixEquals
	return prefix == nil || strings.HasPrefix(key, string(*prefix))
}

// Target returns the key to which the rule redirects a request for this key.
func (r *RoutingRule) Target(key string) string {
	redirect := r.Redirect
	if redirect.ReplaceKeyWith != nil {
		return string(*redirect.ReplaceKeyWith)
	}
	if redirect.ReplaceKeyPrefixWith != nil {
		if r.Condition != nil && r.Condition.KeyPrefixEquals != nil {
			key = strings.TrimPrefix(key, string(*r.Condition.KeyPrefixEquals))
		}
		return string(*redirect.ReplaceKeyPrefixWith) + key
	}
	return key
}

// Rule returns the first rule that redirects a request for a key, or nil. status is that of the error
// with which the request has failed, or 0 before the object is looked up.
func (c *Configuration) Rule(key string, status int) *RoutingRule {
	rules := c.rules()
	for i := range rules {
		if rules[i].matches(key, status) {
			return &rules[i]
		}
	}
	return nil
}
