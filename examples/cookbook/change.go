package cookbook

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/omnibucket/storage"
)

// nextNumber returns the next number. Any number of processes may call it at the same time, and no
// two of them get the same number. If the error is storage.OutcomeUnknown, call nextNumber again.
// It may then skip one number.
func nextNumber(ctx context.Context, bucket storage.Updater, key string) (int, error) {
	var number int
	_, err := storage.Update(ctx, bucket, key, func(old []byte, _ *storage.Attrs) ([]byte, error) {
		number = 0
		if old != nil {
			var err error
			if number, err = strconv.Atoi(string(old)); err != nil {
				return nil, err
			}
		}
		number++
		return []byte(strconv.Itoa(number)), nil
	})
	return number, err
}

// setSetting changes one field of a JSON document and keeps the others.
func setSetting(ctx context.Context, bucket storage.Updater, name string, value any) error {
	_, err := storage.Update(ctx, bucket, "settings.json", func(old []byte, _ *storage.Attrs) ([]byte, error) {
		settings := map[string]any{}
		if old != nil {
			if err := json.Unmarshal(old, &settings); err != nil {
				return nil, err
			}
		}
		settings[name] = value
		return json.Marshal(settings)
	})
	return err
}

// addTo adds an entry to the end of a log. Other writers may do so at once: no entry is lost or added twice.
// The first one creates the object.
func addTo(ctx context.Context, bucket storage.Updater, key, entry string) error {
	_, err := storage.Append(ctx, bucket, key, []byte(entry+"\n"))
	return err
}
