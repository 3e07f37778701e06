package places

import (
	"context"

	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

// A someFiles has the files at the beginning of the listing of a source, destination or backup. The
// job compares two lists of first files, to detect that the source is a folder of the destination,
// for example. So a someFiles also includes files that the job does not select.
type someFiles struct {
	byKey    map[string]ends.Entry
	complete bool // whether byKey has all files of the listing
}

// firstFiles lists up to maxFirst files at the beginning of an end, whether the job selects them or
// not. It leaves out those in excluded directories.
func firstFiles(ctx context.Context, end ends.End, files *selection.Selection) (someFiles, error) {
	first := someFiles{byKey: map[string]ends.Entry{}}
	for file, err := range end.Entries(ctx, files.WithoutFilters(), "") {
		if err != nil {
			return first, err
		}
		if file.Kind == ends.Regular {
			first.byKey[file.Key] = file
		}
		if len(first.byKey) == maxFirst {
			return first, nil
		}
	}
	first.complete = true
	return first, nil
}
