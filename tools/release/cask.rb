# Evaluates Homebrew's entry that goreleaser has made, and checks it against the archives beside it:
#
#	ruby tools/release/cask.rb dist
#
# It is not Homebrew: it knows only the stanzas that the entry uses, and an unknown one is an error.
require "digest"
require "rubygems/package"
require "zlib"

DIST = ARGV.fetch(0)
ENTRY = File.join(DIST, "homebrew", "Casks", "omnibucket.rb")

# A Cask is what the entry says on one system.
class Cask
  attr_reader :said

  def initialize(system, arch)
    @system, @arch, @said = system, arch, Hash.new { |all, name| all[name] = [] }
  end

  %i[version sha256 url name desc homepage binary manpage bash_completion zsh_completion fish_completion].each do |stanza|
    define_method(stanza) do |*words, **options|
      return @said[stanza].last.first if words.empty?

      @said[stanza] << (options.empty? ? words : words + [options])
    end
  end

  def on_macos = (yield if @system == :darwin)
  def on_linux = (yield if @system == :linux)
  def on_intel = (yield if @arch == :amd64)
  def on_arm = (yield if @arch == :arm64)
  def livecheck = nil # the tap is updated by releases
  def staged_path = "/staged"
  def system_command(*command, **options) = @said[:system_command] << [*command, options]
  def postflight(&block) = @said[:postflight] << block
end

# Homebrew's module, for hooks.
module OS
  class << self
    attr_accessor :system

    def mac? = system == :darwin
  end
end

def cask(token, &block)
  abort "cask: the token is #{token}" unless token == "omnibucket"
  $entry = block
end

# files returns the names and modes in an archive.
def files(archive)
  Zlib::GzipReader.open(archive) { |gz| Gem::Package::TarReader.new(gz).to_h { |f| [f.full_name, f.header.mode] } }
end

def check(system, arch)
  cask = Cask.new(system, arch)
  cask.instance_eval(&$entry)
  url = cask.url.to_s
  base = "https://github.com/omnibucket/storage/releases/download/"
  abort "cask: #{url} is not below #{base}" unless url.start_with?(base)
  archive = File.join(DIST, File.basename(url))
  abort "cask: there is no #{archive}" unless File.file?(archive)
  abort "cask: the archive is not that of #{system} #{arch}" unless archive.end_with?("_#{cask.version}_#{system}_#{arch}.tar.gz")
  abort "cask: wrong sha256 of #{archive}" unless cask.sha256 == Digest::SHA256.file(archive).hexdigest
  within = files(archive)
  %i[binary manpage bash_completion zsh_completion fish_completion].each do |stanza|
    abort "cask: there is no #{stanza}" if cask.said[stanza].empty?
    cask.said[stanza].each { |name, *| abort "cask: #{archive} has no #{name}" unless within.key?(name) }
  end
  abort "cask: the program cannot be executed" if within.fetch(cask.binary) & 0o111 == 0
  OS.system = system
  cask.said[:postflight].each { |block| cask.instance_eval(&block) }
  freed = cask.said[:system_command].flatten(1).any? { |word| word.to_s.include?("com.apple.quarantine") }
  abort "cask: #{system}: quarantine" unless freed == (system == :darwin)
  puts "#{system} #{arch}: #{url}"
end

load ENTRY
%i[darwin linux].product(%i[amd64 arm64]).each { |system, arch| check(system, arch) }
