package s3server

import (
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// This file has the configurations that no bucket of this server has: replication, analytics,
// inventory, metrics, intelligent tiering. A read answers as AWS does for a new bucket, and a
// write is NotImplemented.

func getReplication(r *request) error {
	return r.view(func(b *bucket) error {
		return s3error.New("ReplicationConfigurationNotFoundError", "BucketName", b.name)
	})
}

// deleteNothing removes a configuration that is never there, which AWS does not mind.
func deleteNothing(r *request) error {
	return r.setting(http.StatusNoContent, func(*bucket) error { return nil })
}

// noConfiguration is the response for one configuration by its id.
func noConfiguration(r *request) error {
	return r.view(func(*bucket) error { return s3error.New("NoSuchConfiguration") })
}

type configurationList struct {
	XMLName     xml.Name
	Xmlns       string `xml:"xmlns,attr"`
	IsTruncated bool
}

// listNothing returns a handler that lists no configurations, in an element with this name.
func listNothing(name string) handler {
	return func(r *request) error {
		if err := r.view(func(*bucket) error { return nil }); err != nil {
			return err
		}
		return r.writeXML(configurationList{XMLName: xml.Name{Local: name}, Xmlns: xmldoc.Namespace})
	}
}
