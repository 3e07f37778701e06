package s3

import "github.com/omnibucket/storage/internal/httpheader"

// underscoreEscape writes names of metadata without "_": see Profile.EscapeUnderscores.
var underscoreEscape = httpheader.NewNameEscaper('-', '_')

// storedNames returns metadata with the names that the server stores.
func (p *Profile) storedNames(metadata map[string]string) map[string]string {
	return p.renamed(metadata, underscoreEscape.Escape)
}

// plainNames returns metadata with the user's names.
func (p *Profile) plainNames(metadata map[string]string) map[string]string {
	return p.renamed(metadata, underscoreEscape.Unescape)
}

func (p *Profile) renamed(metadata map[string]string, rename func(string) string) map[string]string {
	if !p.EscapeUnderscores || len(metadata) == 0 {
		return metadata
	}
	out := make(map[string]string, len(metadata))
	for name, value := range metadata {
		out[rename(name)] = value
	}
	return out
}
