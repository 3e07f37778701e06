package s3server

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"

	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/wildcard"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// isTarget reports whether an ARN is among Config.EventARNs.
func (h *Handler) isTarget(arn string) bool {
	return slices.ContainsFunc(h.config.EventARNs, func(pattern string) bool { return wildcard.Match(pattern, arn) })
}

// checkTargets refuses ARNs that are not among Config.EventARNs.
func checkTargets(h *Handler, c *notification.Configuration) error {
	var missing []string
	for _, rule := range c.All() {
		if !h.sendsEvents() || !h.isTarget(rule.ARN()) {
			n := strconv.Itoa(len(missing)/4 + 1)
			missing = append(missing, "ArgumentName"+n, rule.ARN(), "ArgumentValue"+n, "The destination does not exist")
		}
	}
	if missing != nil {
		return s3error.New("InvalidArgument", missing...).WithMessage("Unable to validate the following destination configurations")
	}
	return nil
}

// putNotification replaces the configuration; an empty one ends it. Unless the client skips the
// validation, each topic and queue gets a test event, as on AWS.
func putNotification(r *request) error {
	var asked notification.Configuration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if err := asked.Check(); err != nil {
		return err
	}
	skip := isTrue(r.Header, "X-Amz-Skip-Destination-Validation")
	if !skip {
		if err := checkTargets(r.server, &asked); err != nil {
			return err
		}
	}
	err := r.setting(http.StatusOK, func(b *bucket) error {
		b.notification = &asked
		return nil
	})
	if err == nil && !skip {
		for range len(asked.TopicConfiguration) + len(asked.QueueConfiguration) {
			sendTestEvent(r)
		}
	}
	return err
}

func getNotification(r *request) error {
	var response notification.Configuration
	err := r.view(func(b *bucket) error {
		if b.notification != nil {
			response = *b.notification
		}
		return nil
	})
	if err != nil {
		return err
	}
	response.XMLName, response.Xmlns = xml.Name{}, xmldoc.Namespace
	return r.writeXML(response)
}
