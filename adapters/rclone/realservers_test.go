package rclone

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/stretchr/testify/require"
)

// realServers are the server programs in common use, such as OpenSSH and Apache.
var realServers = map[string]backend{
	"OpenSSH": func(t *testing.T) func(string) string {
		dir := t.TempDir()
		port := freePort(t)
		key := filepath.Join(dir, "key")
		require.NoError(t,
			exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).Run())
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // Debian's privilege separation directory
		start(t, port, "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", port, "-h", key,
			"-o", "ListenAddress=127.0.0.1", "-o", "AuthorizedKeysFile="+key+".pub", "-o", "StrictModes=no", "-o", "UsePAM=no",
			"-o", "PidFile=none", "-o", "PermitRootLogin=yes", "-o", "MaxStartups=1000", "-o", "MaxSessions=1000", "-o", "Subsystem=sftp internal-sftp")
		return func(root string) string {
			return fmt.Sprintf(":sftp,host=127.0.0.1,port=%s,user=root,key_file='%s',shell_type=none:%s",
				port, key, filepath.Join(dir, root))
		}
	},
	"Apache": func(t *testing.T) func(string) string {
		files := filesOf(t, "www-data")
		dir := filesOf(t, "www-data")
		port := freePort(t)
		config := filepath.Join(dir, "apache.conf")
		modules := ""
		for _, module := range []string{"mpm_event", "authz_core", "dav", "dav_fs"} {
			modules += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", module,
				module)
		}
		require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `%sServerRoot %s
ServerName 127.0.0.1
User www-data
Group www-data
Listen 127.0.0.1:%s
PidFile %s/pid
ErrorLog %s/errors
DocumentRoot %s
DavLockDB %s/locks
<Directory %s>
  Dav On
  DavDepthInfinity On
  Require all granted
</Directory>
`, modules, dir, port, dir, dir, files, dir, files), 0o600))
		start(t, port, "/usr/sbin/apache2", "-X", "-f", config)
		return func(root string) string {
			return fmt.Sprintf(":webdav,vendor=other,url='http://127.0.0.1:%s/':%s", port, root)
		}
	},
	"ProFTPD": func(t *testing.T) func(string) string {
		files := filesOf(t, "www-data")
		dir := filesOf(t, "www-data")
		port := freePort(t)
		config := filepath.Join(dir, "proftpd.conf")
		require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `ServerType standalone
Port %s
DefaultAddress 127.0.0.1
UseIPv6 off
User www-data
Group www-data
PidFile %s/pid
ScoreboardFile %s/scoreboard
SystemLog %s/log
WtmpLog off
MaxInstances 1000
RequireValidShell off
<Anonymous %s>
  User www-data
  Group www-data
  UserAlias anonymous www-data
  AllowOverwrite on
  ListOptions "-a"
</Anonymous>
`, port, dir, dir, dir, files), 0o600))
		start(t, port, "/usr/sbin/proftpd", "--nodaemon", "--config", config)
		return func(root string) string {
			return fmt.Sprintf(":ftp,host=127.0.0.1,port=%s,user=anonymous,pass=%s:%s", port,
				obscure.MustObscure("x"), root)
		}
	},
}

// The conformance suite passes over rclone on real servers, which "make adapters" installs.
func TestRealServers(t *testing.T) {
	if os.Getenv("OMNIBUCKET_REAL_SERVERS") == "" {
		t.Skip("OMNIBUCKET_REAL_SERVERS is not set: make adapters installs OpenSSH, Apache and ProFTPD, and needs root")
	}
	for name, open := range realServers {
		t.Run(name, func(t *testing.T) {
			requireConformance(t, open(t), idle)
		})
	}
}

// filesOf makes a directory for a user of the system. Only root may write to its parent.
func filesOf(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "omnibucket-rclone-") // which other users reach
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	owner, err := user.Lookup(name)
	require.NoError(t, err)
	id, err := strconv.Atoi(owner.Uid)
	require.NoError(t, err)
	files := filepath.Join(dir, "files")
	require.NoError(t, os.Mkdir(files, 0o755))
	require.NoError(t, os.Chown(files, id, -1))
	return files
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// start runs a server until the test ends.
func start(t *testing.T, port, program string, args ...string) {
	t.Helper()
	c := exec.Command(program, args...)
	output := filepath.Join(t.TempDir(), "output")
	file, err := os.Create(output)
	require.NoError(t, err)
	c.Stdout = file
	c.Stderr = file

	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		_ = file.Close()
	})
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	}, 20*time.Second, 50*time.Millisecond, "%s does not listen: see %s", program, output)
}
