#include "places.h"

#include "memory.h"

#include <dhcpsrv/cfg_db_access.h>
#include <dhcpsrv/cfg_hosts.h>
#include <dhcpsrv/cfg_subnets6.h>
#include <dhcpsrv/host_mgr.h>

namespace reservations {
namespace {

using isc::dhcp::BaseHostDataSource;
using isc::dhcp::CfgMgr;
using isc::dhcp::Host;
using isc::dhcp::HostMgr;
using isc::dhcp::HostPageSize;
using isc::dhcp::SUBNET_ID_GLOBAL;

/// Those that are there: while its connection is lost, Kea takes a database out. What a script's answers reserve is in none
/// (hosts/backend.cc).
isc::dhcp::HostDataSourceList databases() {
    isc::dhcp::HostDataSourceList found;
    for (const auto& source : HostMgr::instance().getHostDataSourceList()) {
        if (source->getType() != "runscript") {
            found.push_back(source);
        }
    }
    return found;
}

/// Calls `read` with each place in turn, until that says it is enough.
template <typename Read>
void each_place(Target target, Read read) {
    if (target != Target::Database && read(*CfgMgr::instance().getCurrentCfg()->getCfgHosts())) {
        return;
    }
    if (target != Target::Memory) {
        for (const auto& database : databases()) {
            if (read(*database)) {
                return;
            }
        }
    }
}

template <typename Read>
ConstHostPtr first(Target target, Read read) {
    ConstHostPtr found;
    each_place(target, [&](const BaseHostDataSource& place) { return (found = read(place)) != nullptr; });
    return found;
}

template <typename Read>
Hosts all(Target target, Read read) {
    Hosts found;
    each_place(target, [&](const BaseHostDataSource& place) {
        const Hosts here = read(place);
        found.insert(found.end(), here.begin(), here.end());
        return false;
    });
    return found;
}

/// Kea 2.2 has no such query: each subnet is asked for.
template <typename Place>
Hosts of_address6(const Place& place, const IOAddress& address) {
    if constexpr (KEA_HOOKS_VERSION >= 20600) {
        return place.getAll6(address);
    } else {
        Hosts found = place.getAll6(SUBNET_ID_GLOBAL, address);
        for (const auto& subnet : *CfgMgr::instance().getCurrentCfg()->getCfgSubnets6()->getAll()) {
            const Hosts here = place.getAll6(subnet->getID(), address);
            found.insert(found.end(), here.begin(), here.end());
        }
        return found;
    }
}

bool del_from(BaseHostDataSource& database, SubnetID subnet, const Identifier& identifier) {
    const auto& [type, bytes] = identifier;
    return is_dhcp4() ? database.del4(subnet, type, bytes.data(), bytes.size())
                      : database.del6(subnet, type, bytes.data(), bytes.size());
}

/// The same of an IPv6 address, in all that concerns it alone. Kea 2.2's query for PostgreSQL deletes all reservations of the
/// subnet, so one is looked for and deleted by whom it is for.
bool del_from(BaseHostDataSource& database, SubnetID subnet, const IOAddress& address) {
    if (address.isV4()) {
        return database.del(subnet, address);
    }
    const Hosts hosts = database.getAll6(subnet, address);
    for (const ConstHostPtr& host : hosts) {
        del_from(database, subnet, Identifier{host->getIdentifierType(), host->getIdentifier()});
    }
    return !hosts.empty();
}

ConstHostPtr find_in(const BaseHostDataSource& place, SubnetID subnet, const Identifier& identifier) {
    const auto& [type, bytes] = identifier;
    return is_dhcp4() ? place.get4(subnet, type, bytes.data(), bytes.size())
                      : place.get6(subnet, type, bytes.data(), bytes.size());
}

/// By an IPv6 address, the databases of Kea 2.2 find no more of a reservation than that address.
ConstHostPtr whole(const BaseHostDataSource& place, const ConstHostPtr& host) {
    if (KEA_HOOKS_VERSION >= 20600 || !host || is_dhcp4()) {
        return host;
    }
    return find_in(place, subnet_of(*host), Identifier{host->getIdentifierType(), host->getIdentifier()});
}

/// One may be deleted meanwhile.
Hosts whole(const BaseHostDataSource& place, const Hosts& hosts) {
    Hosts found;
    for (const ConstHostPtr& host : hosts) {
        if (const ConstHostPtr one = whole(place, host)) {
            found.push_back(one);
        }
    }
    return found;
}

/// Kea's databases keep an identifier of so many bytes; once there is a longer one, PostgreSQL's cannot be read.
constexpr size_t LONGEST_IDENTIFIER = 128;

/// The databases of Kea 2.2 leave such options out, and say nothing.
void require_storable(const Host& host) {
    if (host.getIdentifier().size() > LONGEST_IDENTIFIER) {
        isc_throw(isc::BadValue, "an identifier of " << host.getIdentifier().size()
                                                     << " bytes: a database keeps no more than " << LONGEST_IDENTIFIER
                                                     << ", memory does");
    }
    const auto spaces = (is_dhcp4() ? host.getCfgOption4() : host.getCfgOption6())->getVendorIdsSpaceNames();
    if (KEA_HOOKS_VERSION < 20600 && !spaces.empty()) {
        isc_throw(isc::BadValue, "this Kea keeps no options of the space "
                                     << spaces.front() << " in a database: give their bytes as data of "
                                     << (is_dhcp4() ? "vivso-suboptions" : "vendor-opts")
                                     << ", with \"always-send\", or keep the reservation in memory");
    }
}

[[noreturn]] void not_found() { isc_throw(isc::BadValue, "Host not updated (not found)."); }

/// Kea 2.2 has no update: one is deleted, and one is added. The old one comes back if that fails.
template <typename Place>
void update_in(Place& database, const HostPtr& host) {
    if constexpr (KEA_HOOKS_VERSION >= 20600) {
        database.update(host);
    } else {
        const Identifier identifier{host->getIdentifierType(), host->getIdentifier()};
        const ConstHostPtr old = find_in(database, subnet_of(*host), identifier);
        if (!old) {
            not_found();
        }
        if ((is_dhcp4() ? old->getIPv6SubnetID() : old->getIPv4SubnetID()) != isc::dhcp::SUBNET_ID_UNUSED) {
            isc_throw(isc::BadValue,
                      "this Kea cannot update a reservation of both families: its other half would be lost");
        }
        del_from(database, subnet_of(*host), identifier);
        try {
            database.add(host);
        } catch (...) {
            database.add(boost::const_pointer_cast<Host>(old));
            throw;
        }
    }
}

/// Deletes in each place that is meant.
template <typename InMemory, typename InDatabase>
bool del_everywhere(Target target, InMemory in_memory, InDatabase in_database) {
    target = place_to_write(target);
    bool was_there = target != Target::Database && in_memory();
    if (target != Target::Memory) {
        for (const auto& database : databases()) {
            was_there = in_database(*database) || was_there;
        }
    }
    return was_there;
}

} // namespace

bool is_dhcp4() { return CfgMgr::instance().getFamily() == AF_INET; }

Target place_to_write(Target target) {
    const auto configured = CfgMgr::instance().getCurrentCfg()->getCfgDbAccess()->getHostDbAccessStringList();
    return target != Target::Default ? target : configured.empty() ? Target::Memory : Target::Database;
}

void require_place(Target target, const char* text) {
    const bool is_away = databases().empty() && place_to_write(Target::Default) == Target::Database;
    const bool is_missing = databases().empty() && place_to_write(target) == Target::Database;
    if (is_missing || (is_away && target == Target::All)) {
        isc_throw(isc::BadValue, text);
    }
}

SubnetID subnet_of(const Host& host) { return is_dhcp4() ? host.getIPv4SubnetID() : host.getIPv6SubnetID(); }

ConstHostPtr find(Target target, SubnetID subnet, const IOAddress& address) {
    return first(target, [&](const BaseHostDataSource& place) {
        return address.isV4() ? place.get4(subnet, address) : whole(place, place.get6(subnet, address));
    });
}

ConstHostPtr find(Target target, SubnetID subnet, const Identifier& identifier) {
    return first(target, [&](const BaseHostDataSource& place) { return find_in(place, subnet, identifier); });
}

Hosts all_of_subnet(Target target, SubnetID subnet) {
    return all(target, [&](const BaseHostDataSource& place) {
        return is_dhcp4() ? place.getAll4(subnet) : place.getAll6(subnet);
    });
}

Hosts all_of_identifier(Target target, const Identifier& identifier) {
    const auto& [type, bytes] = identifier;
    return all(target, [&, type = type, &bytes = bytes](const BaseHostDataSource& place) {
        return place.getAll(type, bytes.data(), bytes.size());
    });
}

Hosts all_of_address(Target target, std::optional<SubnetID> subnet, const IOAddress& address) {
    return all(target, [&](const BaseHostDataSource& place) {
        if (subnet) {
            return is_dhcp4() ? place.getAll4(*subnet, address) : whole(place, place.getAll6(*subnet, address));
        }
        return is_dhcp4() ? place.getAll4(address) : whole(place, of_address6(place, address));
    });
}

Hosts all_of_hostname(Target target, std::optional<SubnetID> subnet, const std::string& hostname) {
    return all(target, [&](const BaseHostDataSource& place) {
        if (!subnet) {
            return place.getAllbyHostname(hostname);
        }
        return is_dhcp4() ? place.getAllbyHostname4(hostname, *subnet) : place.getAllbyHostname6(hostname, *subnet);
    });
}

Hosts page(std::optional<SubnetID> subnet, size_t& place, uint64_t after, size_t limit) {
    const HostMgr& hosts = HostMgr::instance();
    const HostPageSize size(limit);
    if (!subnet) {
        return is_dhcp4() ? hosts.getPage4(place, after, size) : hosts.getPage6(place, after, size);
    }
    return is_dhcp4() ? hosts.getPage4(*subnet, place, after, size) : hosts.getPage6(*subnet, place, after, size);
}

void add(Target target, const HostPtr& host) {
    target = place_to_write(target);
    if (target != Target::Memory) {
        require_storable(*host);
    }
    if (target != Target::Database) {
        memory::add(host);
    }
    if (target != Target::Memory) {
        for (const auto& database : databases()) {
            database->add(host);
        }
    }
}

void update(Target target, const HostPtr& host) {
    target = place_to_write(target);
    if (target != Target::Memory) {
        require_storable(*host);
    }
    if (target != Target::Database && !memory::update(host)) {
        not_found();
    }
    if (target != Target::Memory) {
        for (const auto& database : databases()) {
            update_in(*database, host);
        }
    }
}

bool del(Target target, SubnetID subnet, const IOAddress& address) {
    if (address.isV4() != is_dhcp4() || address.isV4Zero() || address.isV6Zero()) {
        return false;
    }
    return del_everywhere(
        target, [&] { return memory::del(subnet, address); },
        [&](BaseHostDataSource& database) { return del_from(database, subnet, address); });
}

bool del(Target target, SubnetID subnet, const Identifier& identifier) {
    return del_everywhere(
        target, [&] { return memory::del(subnet, identifier); },
        [&](BaseHostDataSource& database) { return del_from(database, subnet, identifier); });
}

} // namespace reservations
