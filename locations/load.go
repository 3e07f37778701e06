package locations

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage"
)

// PathVariable is the name of the environment variable with the path of the configuration file.
const PathVariable = "OMNIBUCKET_CONFIG"

// FlagPrefix is the prefix of environment variables that set flags of the command line. The name of
// a location must not begin with "flag-" or "flag_". The environment variable with the address of
// such a location ([Variable]) would also begin with FlagPrefix.
const FlagPrefix = "OMNIBUCKET_FLAG_"

// maxFile is the largest size of a configuration file, in bytes.
const maxFile = 1 << 20

// Load reads the configuration file whose path is the value of OMNIBUCKET_CONFIG, or otherwise
// omnibucket/config.yaml in $XDG_CONFIG_HOME or in the directory of [os.UserConfigDir]. If the latter
// does not exist, the configuration is empty, and only locations of the environment can be opened.
//
// Load fails with InvalidArgument if the file cannot be read, or if [Parse] fails.
func Load() (*Config, error) {
	if path := os.Getenv(PathVariable); path != "" {
		return ReadFile(path)
	}
	path := DefaultPath(os.LookupEnv)
	if path == "" {
		return &Config{}, nil
	}
	c, err := ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Config{}, nil
	}
	return c, err
}

// DefaultPath returns the path of the file that [Load] reads if OMNIBUCKET_CONFIG is not set. It
// returns "" if the system has no directory for configurations, for example without HOME. The path is
// never in the current directory, whose files may belong to another user.
func DefaultPath(lookup func(name string) (value string, set bool)) string {
	dir, _ := lookup("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) {
		userDir, err := os.UserConfigDir()
		if err != nil {
			return ""
		}
		dir = userDir
	}
	return filepath.Join(dir, "omnibucket", "config.yaml")
}

// ReadFile reads a configuration file. It fails with InvalidArgument if the file cannot be read or is
// larger than 1 MiB, or if [Parse] fails.
func ReadFile(path string) (*Config, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  fmt.Errorf("configuration file must be readable: %w", err),
			Hint: "check OMNIBUCKET_CONFIG",
		}
	}
	return Parse(path, text)
}

// readBounded reads a regular file of at most maxFile bytes.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		// Opening a named pipe might block forever.
		return nil, fmt.Errorf("%s is no regular file", path)
	}

	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()

	// One byte more shows that the file is too large.
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s has more than 1 MiB", path)
	}
	return text, nil
}
